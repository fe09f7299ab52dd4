from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from streamer.errors import StoreRejected, StoreUnavailable
from streamer.identity import Identity
from streamer.store.base import Entry, Store
from streamer.store.deletion import bury
from streamer.store.disk import DiskStore
from streamer.store.garbage import Garbage, Unread
from streamer.store.memory import MemoryStore
from streamer.store.opening import open_store
from streamer.store.verdicts import Completed, Verdicts
from tests.store.test_verdicts import IDENTITY, completed, verdict

HOUR, NOW = 3_600.0, 1_700_000_000.0


class Aged(MemoryStore):
    """Written to at the time that `at` says; before a call of an operation something happens, once."""

    def __init__(self) -> None:
        super().__init__(lambda: self.at)
        self.at = NOW
        self.before: dict[str, Callable[[], object]] = {}
        self.seen: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.seen.append(f"get {key}")
        self._happens("get")
        return super().get(key)

    def delete(self, key: str) -> None:
        self._happens("delete")
        super().delete(key)
        self._happens("deleted")

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        self._happens("put")
        return super().put(key, data, download_name)

    def list(self, prefix: str) -> Iterator[str]:
        self.seen.append(f"list {prefix}")
        return super().list(prefix)

    def _happens(self, operation: str) -> None:
        if operation in self.before:
            self.before.pop(operation)()


@pytest.fixture
def store() -> Aged:
    return Aged()


def audio_key(data: bytes, identity: Identity = IDENTITY, extension: str = "wav") -> str:
    return f"{identity.folder}/{hashlib.sha256(data).hexdigest()}.{extension}"


def naming(key: str) -> Completed:
    state = completed()
    return msgspec.structs.replace(state, audio=msgspec.structs.replace(state.audio, uri=f"memory:///{key}"))


def write(store: MemoryStore, data: bytes, identity: Identity = IDENTITY) -> str:
    """As a worker writes audio."""
    store.replace(audio_key(data, identity), data)
    return audio_key(data, identity)


def decide(store: MemoryStore, key: str, generation: int = 1) -> None:
    Verdicts(store).settle(verdict(generation=generation, state=naming(key)))


def never() -> bool:
    return False


def found(store: MemoryStore, before: float = NOW + HOUR) -> list[Entry | Unread]:
    return list(Garbage(store, before).found(never))


def keys(store: MemoryStore, before: float = NOW + HOUR) -> set[str]:
    return {one.key for one in found(store, before) if isinstance(one, Entry)}


def test_audio_that_no_verdict_names_and_nothing_else(store: Aged) -> None:
    first, second, lost = write(store, b"first"), write(store, b"second"), write(store, b"lost to another")
    decide(store, first)
    decide(store, second, generation=2)
    undecided = write(store, b"never decided", Identity("shop", "other"))
    assert keys(store) == {lost, undecided}
    assert keys(store, NOW) == set(), "not older than the bound"


def test_a_tombstone_names_nothing(store: Aged) -> None:
    first = write(store, b"first")
    decide(store, first)
    bury(store, IDENTITY, 5)
    assert keys(store) == set()
    again = write(store, b"written by an attempt that was under way")
    assert keys(store) == {again}


def test_whatever_is_no_audio_stays_however_old(store: Aged) -> None:
    folder = IDENTITY.folder
    for key in (
        "store/id",
        "store/probe",
        "groups/7d/g-streamer/0.json",
        "groups/7d/g-streamer/0-attempts.json",
        "replays/7d/g-streamer/name/1.json",
        f"{folder}/verdict-x.json",
        f"{folder}/verdict-1.json.bak",
        f"{folder}/notes.txt",
        f"{folder}/{'0' * 64}",
        f"{folder}/{'0' * 64}.wav/below",
        f"deeper/{folder}/{'0' * 64}.wav",
        f"other/{'0' * 64}.wav",
        f"{folder}/{'0' * 63}.wav",
        ".new-0123456789abcdef/name",
        f"{folder}/.new-short",
    ):
        store.put(key, b"x")
    assert found(store) == []


def test_what_a_crash_left_of_replacing_goes_wherever_it_is(store: Aged) -> None:
    left = {f"{folder}/.new-0123456789abcdef" for folder in (IDENTITY.folder, "groups/7d/g-x", "replays/7d/g-x/n")}
    for key in left:
        store.put(key, b"x")
    assert keys(store) == left
    garbage = Garbage(store, NOW + HOUR)
    assert all(garbage.take(one) for one in garbage.found(never) if isinstance(one, Entry))
    assert list(store.list("")) == []


def test_verdicts_are_read_only_where_something_is_old(store: Aged) -> None:
    write(store, b"first")
    store.at += 2 * HOUR
    young = Identity("shop", "young")
    write(store, b"second", young)
    Verdicts(store).settle(msgspec.structs.replace(verdict(), identity=young))
    decide(store, audio_key(b"third"))
    store.seen.clear()
    assert keys(store) == {audio_key(b"first")}
    assert store.seen == [f"get {IDENTITY.folder}/verdict-1.json"], "and nothing is listed twice"


def test_a_folder_with_a_verdict_that_cannot_be_read_is_left_alone_and_told(store: Aged) -> None:
    write(store, b"first")
    store.put(f"{IDENTITY.folder}/verdict-1.json", b"{")
    store.put(f"{IDENTITY.folder}/.new-0123456789abcdef", b"x")
    other = write(store, b"second", Identity("shop", "other"))
    entries = found(store)
    [unread] = [one for one in entries if isinstance(one, Unread)]
    assert unread.folder == IDENTITY.folder
    assert "verdict-1.json is an unreadable verdict" in unread.reason
    assert keys(store) == {other, f"{IDENTITY.folder}/.new-0123456789abcdef"}


def test_it_ends_when_asked(store: Aged) -> None:
    for number in range(9):
        write(store, b"x", Identity("shop", str(number)))
    answers = iter([False] * 4 + [True] * 20)
    assert 0 < len(list(Garbage(store, NOW + HOUR).found(lambda: next(answers)))) <= 4


def test_only_what_is_still_old_and_there_is_taken(store: Aged) -> None:
    garbage = Garbage(store, NOW + HOUR)
    key = write(store, b"first")
    [entry] = garbage.found(never)
    assert isinstance(entry, Entry)
    store.at += 2 * HOUR
    write(store, b"first")
    assert garbage.take(entry) is False
    assert store.get(key) == b"first"
    store.delete(key)
    assert garbage.take(entry) is False


def test_it_takes_what_it_found(store: Aged) -> None:
    kept = write(store, b"named")
    decide(store, kept)
    write(store, b"first")
    garbage = Garbage(store, NOW + HOUR)
    assert [garbage.take(one) for one in garbage.found(never) if isinstance(one, Entry)] == [True]
    assert set(store.list("")) == {kept, f"{IDENTITY.folder}/verdict-1.json"}


@pytest.mark.parametrize("moment", ["get", "delete", "deleted"])
def test_what_an_attempt_wrote_and_named_meanwhile_is_there_in_the_end(store: Aged, moment: str) -> None:
    """Its last look at the file may have come before the file went."""
    key = write(store, b"first")
    garbage = Garbage(store, NOW + HOUR)
    [entry] = garbage.found(never)
    assert isinstance(entry, Entry)

    def attempt() -> None:
        write(store, b"first")
        decide(store, key)
        assert store.size(key) == 5

    store.before[moment] = attempt
    assert garbage.take(entry) is False
    assert store.get(key) == b"first"


def test_what_was_deleted_while_it_was_put_back_goes(store: Aged) -> None:
    key = write(store, b"first")
    garbage = Garbage(store, NOW + HOUR)
    [entry] = garbage.found(never)
    assert isinstance(entry, Entry)
    store.before["delete"] = lambda: decide(store, key)
    store.before["deleted"] = lambda: store.before.update(put=lambda: bury(store, IDENTITY, 5))
    assert garbage.take(entry) is True
    assert store.get(key) is None


def test_what_cannot_be_judged_any_longer_is_put_back(store: Aged) -> None:
    key = write(store, b"first")
    garbage = Garbage(store, NOW + HOUR)
    [entry] = garbage.found(never)
    assert isinstance(entry, Entry)
    store.before["delete"] = lambda: store.put(f"{IDENTITY.folder}/verdict-1.json", b"{")
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        garbage.take(entry)
    assert store.get(key) == b"first"


def test_a_store_that_is_down_is_said(store: Aged) -> None:
    write(store, b"first")

    def down() -> None:
        raise StoreUnavailable("injected")

    store.put(f"{IDENTITY.folder}/verdict-1.json", b"{}")
    store.before["get"] = down
    with pytest.raises(StoreUnavailable):
        found(store)


@pytest.fixture(params=["disk", "s3"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "disk":
        store: Store = DiskStore(tmp_path)
    else:
        store = open_store(request.getfixturevalue("s3").settings(f"garbage/{secrets.token_hex(8)}"))
    yield store
    store.close()


def test_with_the_ages_that_a_real_store_tells(real: Store) -> None:
    kept = audio_key(b"kept")
    real.replace(kept, b"kept")
    real.replace(audio_key(b"lost"), b"lost")
    real.put(f"{IDENTITY.folder}/.new-0123456789abcdef", b"x")
    Verdicts(real).settle(verdict(state=naming(kept)))
    [entry] = [entry for entry in real.entries("") if entry.key == kept]
    assert list(Garbage(real, entry.modified - HOUR).found(never)) == []
    garbage = Garbage(real, entry.modified + HOUR)
    for one in garbage.found(never):
        assert isinstance(one, Entry)
        assert garbage.take(one)
    assert set(real.list("")) == {kept, f"{IDENTITY.folder}/verdict-1.json"}
