from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from streamer.errors import StoreRejected
from streamer.identity import Identity, Owner
from streamer.records import Audio, Timings
from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore
from streamer.store.verdicts import Completed, Failed, Recipe, Verdict, Verdicts

IDENTITY = Identity("shop", "order/1")


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = MemoryStore() if request.param == "memory" else DiskStore(tmp_path)
    yield store
    store.close()


def verdict(
    offset: int = 7, *, generation: int = 1, fingerprint: str = "f", state: Completed | Failed | None = None
) -> Verdict:
    return Verdict(
        identity=IDENTITY,
        generation=generation,
        owner=Owner(cluster="c", topic="t", partition=2, offset=offset),
        fingerprint=fingerprint,
        state=state or Failed(code="synthesis_failed", message="为什么", attempts=3),
        decided_at=1_700_000_000_000,
    )


def completed() -> Completed:
    return Completed(
        audio=Audio(
            uri="memory:///a.wav",
            format="wav",
            sample_rate=24_000,
            frames=10,
            duration=0.1,
            bytes=64,
            sha256="a",
            pcm_sha256="b",
        ),
        recipe=Recipe(text="您好", voice="vip", voice_hash="h", engine="tone", revision="1", seed=3),
        timings=Timings(queued=0.1, synthesis=0.2, durable=0.3),
    )


def test_what_was_never_decided_is_none(store: Store) -> None:
    verdicts = Verdicts(store)
    assert verdicts.read(IDENTITY, 1) is None
    assert verdicts.latest(IDENTITY) is None


@pytest.mark.parametrize("state", [completed(), Failed(code="expired", message="late")])
def test_what_is_settled_is_read_back_whole(store: Store, state: Completed | Failed) -> None:
    written = verdict(state=state)
    verdicts = Verdicts(store)
    assert verdicts.settle(written) == written
    assert verdicts.read(IDENTITY, 1) == written
    assert verdicts.latest(IDENTITY) == written
    assert verdicts.read(IDENTITY, 2) is None
    assert verdicts.read(Identity("shop", "order/2"), 1) is None


def test_settling_again_returns_what_stands(store: Store) -> None:
    verdicts = Verdicts(store)
    first = verdicts.settle(verdict(7))
    assert verdicts.settle(verdict(8, fingerprint="another")) == first
    assert verdicts.settle(verdict(7, state=completed())) == first


def test_the_latest_is_the_highest_generation(store: Store) -> None:
    verdicts = Verdicts(store)
    for generation in (1, 2, 10, 9):
        verdicts.settle(verdict(generation, generation=generation))
    store.put(f"{IDENTITY.folder}/0000.wav", b"")
    store.put(f"{IDENTITY.folder}/verdict-x.json", b"{}")
    latest = verdicts.latest(IDENTITY)
    assert latest is not None
    assert latest.generation == 10


def test_nothing_above_a_tombstone_is_the_latest(store: Store) -> None:
    """Whoever wrote it, just when the first was buried, died before it could see that."""
    verdicts = Verdicts(store)
    verdicts.bury(verdicts.settle(verdict()), 5)
    verdicts.settle(verdict(generation=2, state=completed()))
    latest = verdicts.latest(IDENTITY)
    assert latest is not None
    assert latest.deleted


def test_all_verdicts_of_a_folder(store: Store) -> None:
    verdicts = Verdicts(store)
    assert verdicts.within(IDENTITY.folder) == []
    written = [verdicts.settle(verdict(generation, generation=generation)) for generation in (1, 2, 10)]
    for name in ("0000.wav", "verdict-x.json", "verdict-²", "verdict-².json", "verdict-3.json.bak"):
        store.put(f"{IDENTITY.folder}/{name}", b"")
    assert sorted(verdicts.within(IDENTITY.folder), key=lambda one: one.generation) == written
    store.put(f"{IDENTITY.folder}/verdict-4.json", b"")
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        verdicts.within(IDENTITY.folder)


def test_an_id_that_is_new_costs_no_listing() -> None:
    class Unlisted(MemoryStore):
        def list(self, prefix: str) -> Iterator[str]:
            raise AssertionError(f"{prefix} was listed")

    assert Verdicts(Unlisted()).latest(IDENTITY) is None


def test_of_many_verdicts_one_stands(store: Store) -> None:
    verdicts, start = Verdicts(store), threading.Barrier(16)

    def settle(offset: int) -> Verdict:
        start.wait()
        return verdicts.settle(verdict(offset, fingerprint=f"{offset % 4}"))

    with ThreadPoolExecutor(16) as pool:
        standing = list(pool.map(settle, range(16)))
    assert len({one.owner.offset for one in standing}) == 1
    assert verdicts.read(IDENTITY, 1) == standing[0]


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"null", b"\xff", b'{"version":"1"}'])
def test_an_unreadable_verdict_is_an_error(store: Store, data: bytes) -> None:
    store.put(f"{IDENTITY.folder}/verdict-1.json", data)
    verdicts = Verdicts(store)
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        verdicts.read(IDENTITY, 1)
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        verdicts.latest(IDENTITY)
    with pytest.raises(StoreRejected, match="unreadable verdict"):
        verdicts.settle(verdict())
    assert store.get(f"{IDENTITY.folder}/verdict-1.json") == data


def test_a_verdict_with_fields_of_a_later_version_is_read(store: Store) -> None:
    fields = msgspec.to_builtins(verdict())
    fields["later"] = 1
    store.put(f"{IDENTITY.folder}/verdict-1.json", msgspec.json.encode(fields))
    assert Verdicts(store).read(IDENTITY, 1) == verdict()


def test_a_verdict_that_vanishes_is_an_error() -> None:
    class Forgetful(MemoryStore):
        def get(self, key: str) -> bytes | None:
            return None

    with pytest.raises(StoreRejected, match="vanished"):
        Verdicts(Forgetful()).settle(verdict())


def test_a_verdict_from_before_its_encoder_was_recorded_is_read(store: Store) -> None:
    fields = msgspec.to_builtins(verdict(state=completed()))
    del fields["state"]["recipe"]["encoder"]
    store.put(f"{IDENTITY.folder}/verdict-1.json", msgspec.json.encode(fields))
    assert Verdicts(store).read(IDENTITY, 1) == verdict(state=completed())
