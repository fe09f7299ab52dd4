"""The range of a run on the loop: where it begins and ends, whatever stands there and whatever comes after."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.kafka.base import Partition
from streamer.worker.replay.run import Mode, Range, Run
from tests.worker.builders import TOPIC
from tests.worker.replay.rig import ANOTHER, IDENTICAL, SKIPPED, Heard, ReplayRig, outcomes


def spoken(count: int = 6, partitions: int = 1, **worker: Any) -> ReplayRig:
    rig = ReplayRig(partitions=partitions, **worker)
    for number in range(count):
        rig.publish(str(number), f"text {number}", partition=number % partitions)
    rig.speak()
    return rig


def committed(rig: ReplayRig, run: Run) -> dict[int, int]:
    commits = rig.cluster.group(run.group("streamer")).commits
    return {partition.number: commit.offset for partition, commit in commits.items()}


def positions(rig: ReplayRig, run: Run) -> list[tuple[int, int]]:
    return [(one.position.partition, one.position.offset) for one in rig.replayed(run)]


def test_records_before_and_behind_it_are_not_replayed() -> None:
    """Though they come with the same poll."""
    rig = spoken(10)
    run = rig.run(ranges={0: Range(3, 7)})
    process = rig.replaying(run)
    process.until(lambda: rig.finished(run))
    process.turn(50)
    assert positions(rig, run) == [(0, 3), (0, 4), (0, 5), (0, 6)]
    assert committed(rig, run) == {0: 7}
    assert not process.worker.busy


def test_records_published_after_it_was_made_are_not_replayed() -> None:
    rig = spoken(4)
    run = rig.run()
    rig.publish("late")
    rig.speak()
    process = rig.replaying(run)
    process.turn(3)
    rig.publish("later")
    process.until(lambda: rig.finished(run))
    process.turn(50)
    assert outcomes(rig.replayed()) == [IDENTICAL] * 4
    assert committed(rig, run) == {0: 4}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("behind", [True, False])
def test_markers_and_aborted_records_at_its_end_are_passed(before: bool, behind: bool) -> None:
    """The last record that is delivered stands four offsets before it."""
    rig = ReplayRig()
    if before:
        rig.publish("a")
    rig.abort_something()
    rig.abort_something()
    rig.speak()
    run = rig.run()
    end = rig.ends()[0]
    assert run.ranges[0] == Range(0, end)
    assert end == 4 + before
    if behind:
        rig.publish("behind")
    process = rig.replaying(run)
    process.until(lambda: rig.finished(run))
    process.turn(20)
    assert outcomes(rig.replayed()) == [IDENTICAL] * before
    assert committed(rig, run) == {0: end}


def test_a_range_that_ends_among_aborted_records() -> None:
    rig = spoken(2)
    rig.abort_something()
    run = rig.run(ranges={0: Range(0, 3)})
    rig.replaying(run).until(lambda: rig.finished(run))
    assert committed(rig, run) == {0: 3}


def test_empty_partitions_and_those_outside_are_never_touched() -> None:
    rig = spoken(8, partitions=4)
    run = rig.run(ranges={0: Range(0, 2), 1: Range(1, 1), 3: Range(1, 2)})
    process = rig.replaying(run)
    process.until(lambda: rig.finished(run))
    assert positions(rig, run) == [(0, 0), (0, 1), (3, 1)]
    assert committed(rig, run) == {0: 2, 3: 2}
    consumer = process.worker._consumer
    assert [consumer.position(Partition(TOPIC, number)) for number in (1, 2)] == [None, None]


def test_a_finished_run_reads_nothing_more() -> None:
    rig = spoken()
    run = rig.run()
    rig.replay(run)
    rig.clock.advance(7)
    process = rig.replaying(run)
    process.turn(50)
    assert not process.worker.busy
    assert len(rig.replayed()) == 6
    assert process.worker._consumer.position(Partition(TOPIC, 0)) is None


def test_retention_that_took_its_beginning_does_not_stop_it() -> None:
    rig = spoken()
    run, log = rig.run(), Heard()
    rig.cluster.log(Partition(TOPIC, 0)).low = 2
    rig.replaying(run, log=log).until(lambda: rig.finished(run))
    assert positions(rig, run) == [(0, offset) for offset in range(2, 6)]
    assert log.warnings[0][1]["gone"] == 2


def test_retention_that_took_all_of_it_finishes_it() -> None:
    rig = spoken()
    run = rig.run(ranges={0: Range(0, 4)})
    rig.cluster.log(Partition(TOPIC, 0)).low = 5
    rig.replaying(run, log=Heard()).until(lambda: rig.finished(run))
    assert (positions(rig, run), committed(rig, run)) == ([], {0: 4})


def test_retention_that_overtakes_it_does_not_stop_it() -> None:
    """What it took is left out, what was received is not lost."""
    rig = spoken(10, poll_records=1, window=1)
    run, log = rig.run(), Heard()
    process = rig.replaying(run, log=log)
    process.until(lambda: committed(rig, run).get(0, 0) >= 2)
    rig.cluster.log(Partition(TOPIC, 0)).low = 7
    process.until(lambda: rig.finished(run), turns=2000)
    found = [offset for _, offset in positions(rig, run)]
    assert found[-3:] == [7, 8, 9]
    assert len(set(found)) == len(found) < 10
    assert any("retention" in event for event, _ in log.warnings)
    assert committed(rig, run) == {0: 10}


def test_a_partition_that_moves_in_the_middle_is_not_begun_again() -> None:
    rig = spoken(40, partitions=2)
    run = rig.run(Mode.PROMOTE)
    first = rig.replaying(run, ANOTHER, "one")
    first.until(lambda: len(rig.replayed()) > 0)
    second = rig.replaying(run, ANOTHER, "two")
    for _ in range(300):
        first.turn()
        second.turn()
        rig.clock.advance(0.01)
    assert rig.finished(run)
    assert len(set(positions(rig, run))) == len(positions(rig, run)) == 40


def test_runs_and_the_service_have_groups_of_their_own() -> None:
    rig = spoken(3)
    rig.publish("undecided")
    before = rig.commit()
    one, two = rig.run(), rig.run(name="other")
    assert outcomes(rig.replay(one)) == outcomes(rig.replay(two)) == [IDENTICAL] * 3 + [SKIPPED]
    assert rig.commit() == before
    rig.speak()
    assert len(rig.completed()) == 4
