from __future__ import annotations

import pytest

from streamer.errors import CommitsLost, MetadataMismatch, NotInitialised, RetentionPassed, StopWorker
from streamer.kafka.base import Commit
from streamer.store.groups import Groups
from streamer.store.memory import MemoryStore
from streamer.worker.ledger import Ledger
from streamer.worker.metadata import LIMIT, Finished
from streamer.worker.start import Allowed, Starts
from tests.worker.builders import PARTITION, TOPIC_ID, codec

BOUNDS = (10, 50)
DUPLICATES, LOSS, BOTH = Allowed(duplicates=True), Allowed(loss=True), Allowed(duplicates=True, loss=True)
NOTHING = Allowed()


def opened(commit: Commit | None, allowed: Allowed = NOTHING, *, begun: bool = True) -> Ledger:
    groups = Groups(MemoryStore())
    if begun:
        groups.note_start(TOPIC_ID, "streamer", PARTITION.number, 0)
    return Starts(codec(), groups, TOPIC_ID, "streamer", allowed).ledger(PARTITION, commit, BOUNDS)


@pytest.mark.parametrize("allowed", [NOTHING, BOTH])
@pytest.mark.parametrize("offset", [10, 30, 50])
def test_a_commit_within_the_log_is_the_start(offset: int, allowed: Allowed) -> None:
    commit = codec().encode(offset, (), offset)
    ledger = opened(commit, allowed)
    assert ledger.position == offset
    assert ledger.plan(LIMIT) is None  # nothing changed


def test_what_was_finished_above_it_is_not_read_again() -> None:
    ledger = opened(codec().encode(30, (30, 32), 34))
    assert [offset for offset in range(30, 36) if ledger.receive(offset)] == [30, 32, 34, 35]


STOPS = {
    "never initialised": (None, False, NotInitialised, "run `streamer topics`"),
    "commits lost": (None, True, CommitsLost, "--accept-duplicates"),
    "the log lost records": (codec().encode(51, (), 51), True, CommitsLost, "--accept-duplicates"),
    "retention passed": (codec().encode(9, (), 9), True, RetentionPassed, "--accept-loss"),
    "no metadata": (Commit(30, ""), True, MetadataMismatch, "--accept-duplicates"),
    "another store": (Commit(30, f"1|else|{TOPIC_ID.hex}|30|r"), True, MetadataMismatch, "store.url"),
}


@pytest.mark.parametrize(("commit", "begun", "error", "remedy"), STOPS.values(), ids=STOPS)
def test_where_a_person_must_decide_it_stops_and_says_so(
    commit: Commit | None, begun: bool, error: type[StopWorker], remedy: str
) -> None:
    with pytest.raises(error, match=remedy) as caught:
        opened(commit, begun=begun)
    assert str(PARTITION) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("stop", STOPS)
def test_accepted_duplicates_begin_at_the_logs_beginning(stop: str) -> None:
    commit, begun, error, _ = STOPS[stop]
    if error is RetentionPassed:
        with pytest.raises(RetentionPassed):
            opened(commit, DUPLICATES, begun=begun)
        return
    ledger = opened(commit, DUPLICATES, begun=begun)
    assert ledger.position == 10
    plan = ledger.plan(LIMIT)
    assert plan is not None
    assert codec().decode(plan.commit) == Finished(10, (), 10)


@pytest.mark.parametrize("stop", STOPS)
def test_accepted_loss_is_only_what_retention_took(stop: str) -> None:
    commit, begun, error, _ = STOPS[stop]
    if error is not RetentionPassed:
        with pytest.raises(error):
            opened(commit, LOSS, begun=begun)
        return
    assert opened(commit, LOSS, begun=begun).position == 10


def test_what_retention_left_is_remembered() -> None:
    """Finished above the new beginning stays finished, unfinished stays unfinished."""
    ledger = opened(codec().encode(5, (5, 12, 14), 16), LOSS)
    assert [offset for offset in range(10, 18) if ledger.receive(offset)] == [12, 14, 16, 17]


def test_all_that_stood_in_the_metadata_may_be_gone() -> None:
    ledger = opened(codec().encode(2, (2,), 5), LOSS)
    assert [offset for offset in range(10, 12) if ledger.receive(offset)] == [10, 11]


def test_what_retention_overtakes_stops_it() -> None:
    starts = Starts(codec(), Groups(MemoryStore()), TOPIC_ID, "streamer", BOTH)
    with pytest.raises(RetentionPassed, match="begins at 30"):
        starts.overtaken(RetentionPassed("it begins at 30"))
