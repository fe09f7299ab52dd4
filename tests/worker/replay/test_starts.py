from __future__ import annotations

import pytest

from streamer.errors import CommitsLost, MetadataMismatch, RetentionPassed, StopWorker
from streamer.kafka.base import Commit, Partition
from streamer.worker.ledger import Ledger
from streamer.worker.metadata import LIMIT, Finished, MetadataCodec
from streamer.worker.replay.run import Mode, Range, Run
from streamer.worker.replay.starts import RunStarts, anew
from tests.worker.builders import PARTITION, STORE_ID, TOPIC, TOPIC_ID, codec
from tests.worker.replay.rig import Heard

RUN = Run(
    name="nightly",
    number=1,
    mode=Mode.VERIFY,
    asked="{}",
    ranges={0: Range(20, 40), 1: Range(7, 7)},
    replayed_from={},
    created_at=0,
)
BOUNDS = (0, 50)


def starts(log: Heard | None = None) -> RunStarts:
    return RunStarts(MetadataCodec(STORE_ID, TOPIC_ID, anew(RUN)), RUN, log or Heard())


def opened(commit: Commit | None, bounds: tuple[int, int] = BOUNDS, log: Heard | None = None) -> Ledger:
    return starts(log).ledger(PARTITION, commit, bounds)


def test_only_partitions_of_the_run_with_something_in_them_are_read() -> None:
    assert [starts().covers(Partition(TOPIC, number)) for number in range(3)] == [True, False, False]


def test_without_a_commit_it_begins_with_its_range() -> None:
    """Never at the beginning of the log; and its beginning is committed at once."""
    ledger = opened(None)
    assert (ledger.position, ledger.at_end) == (20, False)
    plan = ledger.plan(LIMIT)
    assert plan is not None
    assert codec().decode(plan.commit) == Finished(20, (), 20)


def test_a_commit_says_what_is_finished() -> None:
    log = Heard()
    ledger = opened(codec().encode(30, (30, 32), 34), log=log)
    assert [offset for offset in range(30, 45) if ledger.receive(offset)] == [30, 32, *range(34, 40)]
    assert ledger.at_end
    assert log.warnings == []


def test_a_finished_partition_is_at_its_end() -> None:
    ledger = opened(codec().encode(40, (), 40))
    assert ledger.at_end
    assert ledger.plan(LIMIT) is None


def test_retention_that_passed_it_is_said_and_left_out() -> None:
    log = Heard()
    assert opened(None, (25, 50), log).position == 25
    ((event, fields),) = log.warnings
    assert "retention" in event
    assert fields == {"run": "nightly/1", "partition": str(PARTITION), "offset": 20, "log_begins": 25, "gone": 5}


@pytest.mark.parametrize(
    ("unfinished", "top", "low", "left", "gone"),
    [
        ((22, 24, 30), 33, 25, [30, *range(33, 40)], 2),
        ((22,), 24, 30, list(range(30, 40)), 7),
        ((22, 24), 26, 23, [24, *range(26, 40)], 1),
    ],
)
def test_what_retention_left_of_a_commit_goes_on(
    unfinished: tuple[int, ...], top: int, low: int, left: list[int], gone: int
) -> None:
    log = Heard()
    ledger = opened(codec().encode(22, unfinished, top), (low, 50), log)
    assert [offset for offset in range(low, 45) if ledger.receive(offset)] == left
    assert log.warnings[0][1]["gone"] == gone


@pytest.mark.parametrize("commit", [None, codec().encode(30, (30,), 35)])
def test_a_range_that_is_gone_is_finished(commit: Commit | None) -> None:
    ledger = opened(commit, (45, 50))
    assert ledger.at_end
    plan = ledger.plan(LIMIT)
    assert plan is not None
    assert plan.commit == codec().encode(40, (), 40)


STOPS = {
    "the log lost records": (None, (0, 39), CommitsLost, "goes to offset 40, but the log ends at 39"),
    "no metadata": (Commit(30, ""), BOUNDS, MetadataMismatch, "is not streamer's"),
    "another store": (Commit(30, f"1|else|{TOPIC_ID.hex}|30|r"), BOUNDS, MetadataMismatch, "store.url"),
}


@pytest.mark.parametrize("stop", STOPS)
def test_where_a_person_must_decide_it_stops_and_says_so(stop: str) -> None:
    commit, bounds, error, why = STOPS[stop]
    with pytest.raises(error, match=why) as caught:
        opened(commit, bounds)
    assert isinstance(caught.value, StopWorker)
    assert str(PARTITION) in str(caught.value)
    assert "nightly" in str(caught.value)
    if why != "store.url":
        assert "`streamer replay nightly --restart`" in str(caught.value)


def test_what_retention_overtakes_is_said() -> None:
    log = Heard()
    starts(log).overtaken(RetentionPassed("it begins at 30"))
    assert log.warnings[0][1] == {"run": "nightly/1", "error": "it begins at 30"}
