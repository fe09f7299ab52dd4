from __future__ import annotations

import msgspec
import pytest

from streamer.records import Position, SpeechReplayed
from streamer.worker.replay.run import Range
from streamer.worker.replay.tally import Tally
from tests.downstream.test_follow import AGAIN
from tests.worker.builders import TOPIC
from tests.worker.replay.test_run import RUN

RANGES = {0: Range(5, 22), 2: Range(0, 1), 3: Range(4, 4)}


def said(partition: int, offset: int, outcome: str = "identical", run: str = RUN.label) -> SpeechReplayed:
    position = Position(topic=TOPIC, partition=partition, offset=offset)
    return msgspec.structs.replace(AGAIN, position=position, outcome=outcome, run=run)


@pytest.fixture
def tally() -> Tally:
    return Tally(msgspec.structs.replace(RUN, ranges=RANGES))


def test_each_record_counts_once_in_whatever_order(tally: Tally) -> None:
    """A run that lost its commits says all of it again."""
    everything = [said(0, offset) for offset in range(5, 22)] + [said(2, 0)]
    for one in [*everything[::-1], *everything]:
        tally.add(one)
    assert tally.summary.outcomes["identical"] == len(everything) == 18


def test_what_was_said_first_counts(tally: Tally) -> None:
    tally.add(said(0, 7, "different"))
    tally.add(said(0, 7))
    assert (tally.summary.records, tally.summary.outcomes["different"]) == (1, 1)


def test_what_other_runs_say_is_passed_over(tally: Tally) -> None:
    tally.add(said(0, 7, run=f"{RUN.name}/2"))
    tally.add(said(0, 7, run=RUN.name))
    assert tally.summary.records == 0
    tally.add(said(0, 7))
    assert tally.summary.records == 1


@pytest.mark.parametrize(("partition", "offset"), [(0, 4), (0, 22), (2, 1), (3, 4), (1, 0)])
def test_what_lies_outside_of_the_run_is_passed_over(tally: Tally, partition: int, offset: int) -> None:
    tally.add(said(partition, offset))
    assert tally.summary.records == 0
