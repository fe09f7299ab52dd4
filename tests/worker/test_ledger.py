from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.kafka.base import Commit
from streamer.worker.ledger import Ledger
from streamer.worker.metadata import LIMIT, Finished
from tests.worker.builders import codec, settled

_PREFIX = len(codec().encode(0, (), 0).metadata)


def fresh(base: int = 0, commit: Commit | None = None) -> Ledger:
    return Ledger(codec(), Finished(base, (), base), commit)


def committed(ledger: Ledger, limit: int = LIMIT) -> Commit:
    plan = ledger.plan(limit)
    assert plan is not None
    ledger.committed(plan)
    return plan.commit


class LedgerMachine(RuleBasedStateMachine):
    """A ledger beside sets: what exists in the log, what is open, what was settled, and what is committed finished."""

    @initialize(steps=st.lists(st.integers(1, 3), min_size=1, max_size=40))
    def log(self, steps: list[int]) -> None:
        at, self.exists = -1, list[int]()
        for step in steps:  # more than one: markers and aborted records between them
            at += step
            self.exists.append(at)
        self.end = at + 2
        self.commit = codec().encode(0, (), 0)
        self.finished: set[int] = set()
        self.restart()

    @rule()
    def restart(self) -> None:
        self.ledger = Ledger(codec(), codec().decode(self.commit), self.commit)
        self.next = self.ledger.position
        self.open: set[int] = set()
        self.settled: set[int] = set()

    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        for offset in [offset for offset in self.exists if offset >= self.next][:count]:
            assert self.ledger.receive(offset) == (offset not in self.finished)
            if offset not in self.finished:
                self.open.add(offset)
            self.next = offset + 1

    @precondition(lambda self: self.open)
    @rule()
    def deliver_again(self) -> None:
        for offset in self.open:
            assert not self.ledger.receive(offset)

    @precondition(lambda self: self.open - self.settled)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.open - self.settled)))
        self.ledger.settle(offset, settled(str(offset)))
        self.settled.add(offset)

    @rule()
    def pass_markers(self) -> None:
        """To the next record, or the end of the log, as `position` does."""
        self.next = next((offset for offset in self.exists if offset >= self.next), self.end)
        self.ledger.advance(self.next)

    @rule(spare=st.sampled_from([0, 4, 8, LIMIT]), done=st.booleans())
    def transaction(self, spare: int, done: bool) -> None:
        plan = self.ledger.plan(_PREFIX + spare)
        if plan is None:
            assert not self.settled or spare < LIMIT
            return
        assert set(plan.offsets) <= self.settled
        assert [m.key for m in self.ledger.messages(plan)] == [str(offset).encode() for offset in plan.offsets]
        if not done:
            return  # aborted: the same again
        ended = self.ledger.committed(plan)
        assert [e.task_id for e in ended] == [str(offset) for offset in plan.offsets]
        self.commit = plan.commit
        self.finished |= set(plan.offsets)
        self.open -= set(plan.offsets)
        self.settled -= set(plan.offsets)

    @invariant()
    def the_commit_says_what_is_finished(self) -> None:
        base, unfinished, top = codec().decode(self.commit)
        assert base == self.commit.offset
        for offset in self.exists:
            said = offset < base or (offset < top and offset not in unfinished)
            assert said == (offset in self.finished), offset

    @invariant()
    def the_base_is_the_lowest_unfinished(self) -> None:
        assert self.ledger.base == min(self.open, default=self.ledger.position)
        assert self.ledger.position == self.next
        assert self.ledger.settled == len(self.settled)
        assert self.ledger.settled_bytes == 5 * len(self.settled)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=80, stateful_step_count=60)


def test_a_fresh_start_without_a_commit_is_committed() -> None:
    assert committed(fresh(5)).offset == 5


def test_nothing_changed_is_no_plan() -> None:
    ledger = fresh(5, codec().encode(5, (), 5))
    assert ledger.plan(LIMIT) is None
    ledger.receive(5)
    assert ledger.plan(LIMIT) is None
    ledger.settle(5, settled())
    assert committed(ledger).offset == 6
    assert ledger.plan(LIMIT) is None


def test_the_commit_passes_markers_only_when_told() -> None:
    ledger = fresh()
    ledger.receive(0)
    ledger.settle(0, settled())
    assert committed(ledger).offset == 1
    ledger.advance(4)
    assert committed(ledger).offset == 4
    ledger.advance(3)
    ledger.advance(None)
    assert ledger.plan(LIMIT) is None


def test_an_unfinished_record_behind_a_marker_is_not_passed() -> None:
    ledger = fresh()
    for offset in (0, 1):
        ledger.receive(offset)
    ledger.settle(1, settled())
    ledger.advance(9)
    assert codec().decode(committed(ledger)) == Finished(0, (0,), 2)


def test_a_duplicate_finishes_without_a_message() -> None:
    ledger = fresh()
    ledger.receive(0)
    ledger.settle(0, settled(value=None))
    plan = ledger.plan(LIMIT)
    assert plan is not None
    assert list(ledger.messages(plan)) == []
    assert plan.commit.offset == 1


@pytest.mark.parametrize("limit", [0, _PREFIX, _PREFIX + 8, LIMIT])
def test_what_is_below_the_lowest_unfinished_goes_whatever_the_limit(limit: int) -> None:
    ledger = fresh()
    for offset in range(200):
        ledger.receive(offset)
    for offset in [*range(50), *range(51, 200, 2)]:
        ledger.settle(offset, settled())
    plan = ledger.plan(limit)
    assert plan is not None
    assert plan.offsets[:50] == list(range(50))
    assert plan.commit.offset == 50
    assert len(plan.commit.metadata) <= limit or len(plan.offsets) == 50


def test_a_small_limit_ends_in_the_same_place() -> None:
    """Each time the lowest record ends, more gets through; nothing is sent above the limit but what needs none."""
    ledger, count = fresh(), 120
    for offset in range(count):
        ledger.receive(offset)
    for offset in range(1, count, 2):
        ledger.settle(offset, settled())
    for offset in range(0, count, 2):
        while (plan := ledger.plan(_PREFIX + 6)) is not None:
            assert len(plan.commit.metadata) <= _PREFIX + 6
            ledger.committed(plan)
        ledger.settle(offset, settled())
    assert committed(ledger, 0).offset == count
    assert ledger.settled == ledger.settled_bytes == 0


def bounded(base: int, end: int, commit: Commit | None = None) -> Ledger:
    return Ledger(codec(), Finished(base, (), base), commit, end)


def test_nothing_at_or_behind_the_end_is_taken_or_committed() -> None:
    ledger = bounded(3, 6)
    assert [offset for offset in (3, 5, 6, 7) if ledger.receive(offset)] == [3, 5]
    assert (ledger.at_end, ledger.position) == (True, 6)
    for offset in (5, 3):
        ledger.settle(offset, settled())
    assert committed(ledger).offset == 6
    assert ledger.plan(LIMIT) is None


def test_the_first_record_behind_the_end_passes_what_was_not_delivered_before_it() -> None:
    ledger = bounded(3, 6)
    assert not ledger.receive(9)
    assert ledger.at_end
    assert committed(ledger) == codec().encode(6, (), 6)


@pytest.mark.parametrize("position", [6, 7, 100])
def test_markers_are_passed_up_to_the_end(position: int) -> None:
    ledger = bounded(3, 6)
    ledger.receive(3)
    ledger.settle(3, settled())
    assert committed(ledger).offset == 4
    before = ledger.at_end  # the last record that was delivered says nothing about what follows
    ledger.advance(position)
    assert (before, ledger.at_end) == (False, True)
    assert committed(ledger).offset == 6


def test_an_unfinished_record_holds_back_the_end() -> None:
    ledger = bounded(0, 3)
    for offset in range(3):
        ledger.receive(offset)
    ledger.settle(2, settled())
    ledger.advance(9)
    assert codec().decode(committed(ledger)) == Finished(0, (0, 1), 3)


def test_what_is_unfinished_in_a_commit_and_never_delivered_again_is_passed_at_the_end() -> None:
    """Retention took it, or another record was never there: `position` says so."""
    commit = codec().encode(1, (1, 2), 4)
    ledger = Ledger(codec(), codec().decode(commit), commit, 5)
    assert [offset for offset in (2, 3, 4, 5) if ledger.receive(offset)] == [2, 4]
    for offset in (2, 4):
        ledger.settle(offset, settled())
    assert committed(ledger).offset == 5


@pytest.mark.parametrize("base", [6, 8])
def test_a_range_that_is_over_is_at_its_end(base: int) -> None:
    commit = codec().encode(base, (), base)
    ledger = bounded(base, 6, commit)
    assert ledger.at_end
    assert not ledger.receive(base)
    assert ledger.plan(LIMIT) is None


def test_without_an_end_there_is_always_more() -> None:
    ledger = fresh()
    ledger.advance(10**9)
    assert not ledger.at_end
