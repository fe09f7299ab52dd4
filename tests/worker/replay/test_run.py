from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from streamer.errors import StoreRejected
from streamer.store.memory import MemoryStore
from streamer.worker.replay.run import Mode, Range, Run, Runs
from streamer.worker.replay.summary import Summary

TOPIC_ID = uuid.UUID(int=7)
RUN = Run(
    name="monday",
    number=1,
    mode=Mode.VERIFY,
    asked="--all",
    ranges={0: Range(3, 10, gone=3), 2: Range(5, 5)},
    replayed_from={0: 12},
    created_at=1_700_000_000_000,
)


def again(number: int, name: str = "monday") -> Run:
    return msgspec.structs.replace(RUN, number=number, name=name)


def test_a_run_names_its_group_and_its_results() -> None:
    assert RUN.label == "monday/1"
    assert RUN.group("streamer") == "streamer.replay.monday.1"
    assert [range.size for range in RUN.ranges.values()] == [7, 0]


def test_the_latest_of_a_name_is_the_one_of_the_highest_number() -> None:
    runs = Runs(MemoryStore(), TOPIC_ID, "streamer")
    assert runs.latest("monday") is None
    for number in (1, 2, 10, 9):
        assert runs.make(again(number)) == again(number)
    runs.make(again(1, "monday.2"))
    runs.conclude(again(10), Summary.of("monday/10"))
    assert runs.latest("monday") == again(10)
    assert runs.latest("monda") is None


def test_runs_of_another_topic_or_group_are_others() -> None:
    store = MemoryStore()
    Runs(store, TOPIC_ID, "a/b").make(RUN)
    assert Runs(store, TOPIC_ID, "a").latest("monday") is None
    assert Runs(store, uuid.UUID(int=8), "a/b").latest("monday") is None
    assert Runs(store, TOPIC_ID, "a/b").latest("monday") == RUN
    assert list(store.list("")) == [f"replays/{TOPIC_ID}/g-a%2Fb/monday/1.json"]


def test_of_many_that_begin_at_once_all_get_one_run() -> None:
    runs, barrier = Runs(MemoryStore(), TOPIC_ID, "streamer"), threading.Barrier(8)

    def begin(end: int) -> Run:
        barrier.wait()
        return runs.make(msgspec.structs.replace(RUN, ranges={0: Range(0, end)}))

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(begin, range(8)))
    assert len(made) == 8
    assert set(map(msgspec.json.encode, made)) == {msgspec.json.encode(runs.latest("monday"))}


def test_the_first_conclusion_stands() -> None:
    runs = Runs(MemoryStore(), TOPIC_ID, "streamer")
    assert runs.summary(RUN) is None
    first = Summary.of(RUN.label)
    first.outcomes["identical"] = 7
    assert runs.conclude(RUN, first) == first
    assert runs.conclude(RUN, Summary.of(RUN.label)) == first
    assert runs.summary(RUN) == first
    assert runs.summary(again(2)) is None


def test_what_cannot_be_read_is_named() -> None:
    store = MemoryStore()
    runs = Runs(store, TOPIC_ID, "streamer")
    runs.make(RUN)
    store.replace(f"replays/{TOPIC_ID}/g-streamer/monday/1.json", b"{")
    with pytest.raises(StoreRejected, match=r"monday/1\.json is unreadable"):
        runs.latest("monday")
