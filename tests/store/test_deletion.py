from __future__ import annotations

from collections.abc import Callable

import pytest

from streamer.errors import StoreRejected, StoreUnavailable
from streamer.identity import Identity
from streamer.store.deletion import bury, kept
from streamer.store.memory import MemoryStore
from streamer.store.verdicts import Verdicts
from tests.store.test_verdicts import IDENTITY, completed, verdict

OTHER = Identity("shop", "other")


class Interrupted(MemoryStore):
    """Before its n-th write something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.at: dict[int, Callable[[], object]] = {}

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        self._count()
        super().replace(key, data, download_name)

    def delete(self, key: str) -> None:
        self._count()
        super().delete(key)

    def _count(self) -> None:
        self.writes += 1
        if self.writes in self.at:
            self.at.pop(self.writes)()


@pytest.fixture
def store() -> Interrupted:
    """Two generations, two files, what a crash left, and somebody else's."""
    store = Interrupted()
    folder = IDENTITY.folder
    for name in (f"{'0' * 64}.wav", f"{'1' * 64}.mp3", ".new-0123456789abcdef"):
        store.put(f"{folder}/{name}", b"sound")
    store.put(f"{OTHER.folder}/{'0' * 64}.wav", b"sound")
    Verdicts(store).settle(verdict())
    Verdicts(store).settle(verdict(8, generation=2, state=completed()))
    return store


def files(store: MemoryStore) -> list[str]:
    return [key for key in store.list(f"{IDENTITY.folder}/") if "verdict" not in key]


def test_audio_goes_and_tombstones_stay(store: Interrupted) -> None:
    before = kept(store, IDENTITY)
    assert ([one.generation for one in before.verdicts], before.objects) == ([1, 2], 3)
    buried = bury(store, IDENTITY, 99)
    assert (buried.verdicts, buried.objects) == (before.verdicts, 3)
    after = kept(store, IDENTITY)
    assert after.objects == 0
    for was, tombstone in zip(before.verdicts, after.verdicts, strict=True):
        assert tombstone.deleted
        assert tombstone.decided_at == 99
        assert (tombstone.owner, tombstone.fingerprint, tombstone.generation) == (
            was.owner,
            was.fingerprint,
            was.generation,
        )
    data = store.get(f"{IDENTITY.folder}/verdict-2.json") or b""
    assert completed().recipe.text.encode() not in data, "nothing of what was said"
    assert len(list(store.list(f"{OTHER.folder}/"))) == 1


def test_again_it_finds_nothing_and_changes_nothing(store: Interrupted) -> None:
    bury(store, IDENTITY, 99)
    writes = store.writes
    again = bury(store, IDENTITY, 100)
    assert (again.verdicts, again.objects, store.writes) == ([], 0, writes)
    assert {one.decided_at for one in kept(store, IDENTITY).verdicts} == {99}


@pytest.mark.parametrize("write", range(1, 6))
def test_interrupted_anywhere_it_goes_on_where_it_was(store: Interrupted, write: int) -> None:
    def down() -> None:
        raise StoreUnavailable("injected")

    store.at[write] = down
    with pytest.raises(StoreUnavailable):
        bury(store, IDENTITY, 99)
    bury(store, IDENTITY, 100)
    assert all(one.deleted for one in kept(store, IDENTITY).verdicts)
    assert files(store) == []


@pytest.mark.parametrize("write", range(1, 6))
def test_a_generation_that_comes_meanwhile_goes_too(store: Interrupted, write: int) -> None:
    """A promoting replay: its file first, then its verdict."""

    def promoted() -> None:
        store.put(f"{IDENTITY.folder}/{'2' * 64}.wav", b"sound")
        Verdicts(store).settle(verdict(8, generation=3, state=completed()))

    store.at[write] = promoted
    buried = bury(store, IDENTITY, 99)
    assert [one.generation for one in buried.verdicts] == [1, 2, 3]
    assert all(one.deleted for one in kept(store, IDENTITY).verdicts)
    assert files(store) == []


def test_an_unreadable_verdict_is_an_error_before_anything_is_deleted(store: Interrupted) -> None:
    store.replace(f"{IDENTITY.folder}/verdict-1.json", b"{")
    writes = store.writes
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        bury(store, IDENTITY, 99)
    assert store.writes == writes
