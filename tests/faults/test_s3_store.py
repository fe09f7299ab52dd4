"""The store on S3 behind a proxy that spoils what passes it: nothing reported done is missing, no key ever changes."""

from __future__ import annotations

import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamer.errors import StoreUnavailable
from streamer.store.base import Store
from streamer.store.opening import open_store
from tests.faults.proxy import ALL, Fault, FaultProxy, chosen, clear
from tests.store.s3server import S3Server

_TIMEOUT = 1.0
_THREADS = 16


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port, clear, give_up=_TIMEOUT) as proxy:
        yield proxy


@pytest.fixture
def store(s3: S3Server, proxy: FaultProxy) -> Iterator[Store]:
    store = open_store(s3.settings(f"faults/{secrets.token_hex(8)}", endpoint=proxy.endpoint, timeout=_TIMEOUT))
    yield store
    store.close()


def once(proxy: FaultProxy, method: str, fault: Fault) -> None:
    """The next request of this method meets the fault; all others pass."""

    def choose(asked: str, target: str) -> Fault:
        if asked != method:
            return Fault.NONE
        proxy.choose = clear
        return fault

    proxy.choose = choose


@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.ERROR_AFTER])
def test_a_write_whose_answer_was_lost_is_found_done(store: Store, proxy: FaultProxy, fault: Fault) -> None:
    once(proxy, "PUT", fault)
    assert store.put("a/b", b"ours") is True
    assert store.get("a/b") == b"ours"
    assert proxy.counts[fault] == 1


@pytest.mark.parametrize("theirs", [b"else", b"much longer than ours"])
@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.ERROR_AFTER, Fault.CUT_BEFORE, Fault.SLOW_DOWN])
def test_a_write_that_lost_and_did_not_hear_it_is_found_lost(
    store: Store, proxy: FaultProxy, fault: Fault, theirs: bytes
) -> None:
    store.put("a/b", theirs)
    once(proxy, "PUT", fault)
    assert store.put("a/b", b"ours") is False
    assert store.get("a/b") == theirs


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.SLOW_DOWN, Fault.HANG, Fault.LATE])
def test_a_write_that_did_not_happen_is_to_be_tried_again(store: Store, proxy: FaultProxy, fault: Fault) -> None:
    once(proxy, "PUT", fault)
    with pytest.raises(StoreUnavailable, match="a/b"):
        store.put("a/b", b"ours")
    # What came late is the first writer's, and stands.
    assert store.put("a/b", b"again") in (True, False)
    assert store.get("a/b") in (b"ours", b"again")


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.ERROR_AFTER, Fault.SLOW_DOWN])
def test_a_read_is_repeated_while_it_fails_quickly(store: Store, proxy: FaultProxy, fault: Fault) -> None:
    store.put("a/b", b"bytes")
    once(proxy, "GET", fault)
    assert store.get("a/b") == b"bytes"
    once(proxy, "HEAD", fault)
    assert store.size("a/b") == 5
    assert proxy.counts[fault] == 2


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.TRUNCATED])
def test_an_answer_that_does_not_come_whole_is_never_taken_for_one(
    store: Store, proxy: FaultProxy, fault: Fault
) -> None:
    store.put("a/b", b"bytes" * 1000)
    once(proxy, "GET", fault)
    try:
        assert store.get("a/b") == b"bytes" * 1000
    except StoreUnavailable:
        assert store.get("a/b") == b"bytes" * 1000


class Histories:
    """What each thread was told, to be held against what stands in the end."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store, self._seed = store, seed
        self.won: defaultdict[str, list[bytes]] = defaultdict(list)
        self.done: set[str] = set()
        self.seen: defaultdict[str, set[bytes]] = defaultdict(set)
        self.outcomes: Counter[str] = Counter()

    def run(self, thread: int, operations: int) -> None:
        chance = random.Random(self._seed * 1000 + thread)
        known: set[str] = set()
        for number in range(operations):
            key = f"{chance.randrange(40)}/{chance.randrange(10)}"
            (kind,) = chance.choices(["put", "get", "size", "list"], [50, 35, 10, 5])
            try:
                self.outcomes[self._do(kind, key, f"{thread}-{number}-".encode() * 30, known)] += 1
            except StoreUnavailable:
                self.outcomes["unavailable"] += 1

    def _do(self, kind: str, key: str, data: bytes, known: set[str]) -> str:
        if kind == "put":
            return self._put(key, data, known)
        return {"get": self._get, "size": self._size, "list": self._list}[kind](key, known)

    def _put(self, key: str, data: bytes, known: set[str]) -> str:
        won = self._store.put(key, data)
        known.add(key)
        self.done.add(key)
        if won:
            self.won[key].append(data)
        return "won" if won else "lost"

    def _get(self, key: str, known: set[str]) -> str:
        data = self._store.get(key)
        assert data is not None or key not in known, f"{key} was done and is gone"
        if data is not None:
            self.seen[key].add(data)
            known.add(key)
        return "got" if data else "nothing"

    def _size(self, key: str, known: set[str]) -> str:
        size = self._store.size(key)
        assert size is not None or key not in known, f"{key} was done and is gone"
        return "size"

    def _list(self, key: str, known: set[str]) -> str:
        folder = key.partition("/")[0] + "/"
        expected = {name for name in known if name.startswith(folder)}
        assert expected <= set(self._store.list(folder))
        return "listed"


def test_what_is_reported_holds_through_every_fault(
    store: Store, proxy: FaultProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = 11
    shares: dict[Fault, float] = dict.fromkeys(ALL, 0.04) | {Fault.HANG: 0.004, Fault.LATE: 0.006}
    proxy.choose = chosen(random.Random(seed), shares)
    histories = Histories(store, seed)
    with ThreadPoolExecutor(_THREADS) as pool:
        for run in [pool.submit(histories.run, thread, 250) for thread in range(_THREADS)]:
            run.result()
    counts = dict(proxy.counts)
    proxy.choose = clear
    for key in histories.done:
        standing = store.get(key)
        assert standing is not None, key
        assert set(histories.won[key]) <= {standing}, "a winner is not what stands"
        assert len(histories.won[key]) <= 1
        assert histories.seen[key] <= {standing}, "a key changed"
    assert set(counts) == {*ALL, Fault.NONE}, "a fault that never struck"
    assert histories.outcomes["unavailable"] > 0
    assert sum(histories.outcomes.values()) == _THREADS * 250
    with capsys.disabled():
        print(f"\n{dict(histories.outcomes)} behind {counts}")
