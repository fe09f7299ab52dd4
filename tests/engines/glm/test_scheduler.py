from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.clock import ManualClock
from streamer.engines.base import Ticket
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.scheduler import cost
from streamer.settings_engines import Schedule
from tests.engines.glm.scheduling import LONG, SHORT, Model, drained, piece, scheduler, taken, tickets, went
from tests.worker.replay.rig import Heard


@pytest.mark.parametrize("fair", [True, False])
def test_of_one_source_older_utterances_and_earlier_segments_go_first(fair: bool) -> None:
    waiting = scheduler(*(piece(*place) for place in [(3, 0), (1, 2), (2, 0), (1, 1)]), fair_sources=fair)
    assert [one.place for one in drained(waiting)] == [(1, 1), (1, 2), (2, 0), (3, 0)]
    assert not len(waiting)


def test_without_fairness_sources_do_not_count() -> None:
    pieces = [piece(ticket, source="abc"[ticket % 3], ids=ticket) for ticket in range(1, 30)]
    waiting = scheduler(*reversed(pieces), fair_sources=False)
    assert drained(waiting) == pieces


def test_no_more_are_in_than_rows_are_there() -> None:
    waiting = scheduler(*(piece(ticket) for ticket in range(1, 9)))
    first, *others = taken(waiting, 3)
    assert len(others) == 2
    waiting.leave(first)
    assert waiting.take(2) is None  # memory became scarce: Room admits fewer than are in
    waiting.drop(others[0].job.ticket)
    assert went(waiting, 2) == [4]


def test_who_waited_too_long_goes_first_and_whoever_waits_longest_of_those() -> None:
    clock = ManualClock()
    waiting = scheduler(clock=clock, longest_wait=10.0)
    for ticket, text in [(5, LONG), (4, SHORT), (1, SHORT), (2, SHORT)]:
        waiting.add(piece(ticket, text=text))
        clock.advance(3)
    assert went(waiting, 9) == [5]  # 12 s
    assert went(waiting, 9) == [1]  # 4 waits for 9 s
    clock.advance(1)
    assert went(waiting, 9) == [4]


def test_where_nothing_but_the_order_is_asked_for_nothing_is_told() -> None:
    clock, heard = ManualClock(), Heard()
    waiting = scheduler(*map(piece, range(300)), clock=clock, log=heard, longest_wait=1.0, fair_sources=False)
    clock.sleep(2.0)
    drained(waiting)
    assert heard.warnings == []


def test_where_all_wait_too_long_it_is_told_once() -> None:
    clock, heard = ManualClock(), Heard()
    waiting = scheduler(clock=clock, log=heard, longest_wait=10.0)
    for begun in (0, 100, 200):
        for ticket in range(begun, begun + 99):
            waiting.add(piece(ticket))
        clock.sleep(11.0)
        waiting.add(piece(begun + 99))  # in time, which ends the row
        drained(waiting)
    assert heard.warnings == []
    for ticket in range(500, 750):
        waiting.add(piece(ticket))
    clock.sleep(11.0)
    drained(waiting)
    ((event, fields),) = heard.warnings
    assert "largest_cost" in event
    assert fields["longest_wait"] == 10.0


def test_rows_are_kept_for_short_texts_and_long_ones_take_the_others() -> None:
    waiting = scheduler(*(piece(ticket, text=LONG) for ticket in range(1, 9)), short_share=0.25, short_cost=61)
    assert tickets(taken(waiting, 8)) == [1, 2, 3, 4, 5, 6]
    for ticket in (20, 21, 22):
        waiting.add(piece(ticket))
    assert tickets(taken(waiting, 8)) == [20, 21]


def test_short_texts_may_take_every_row_and_one_too_long_by_a_token_is_long() -> None:
    waiting = scheduler(*(piece(ticket) for ticket in range(1, 9)), short_share=0.75, short_cost=61)
    assert len(taken(waiting, 4)) == 4
    waiting = scheduler(*(piece(ticket) for ticket in range(1, 9)), short_share=0.75, short_cost=60)
    assert len(taken(waiting, 4)) == 1


def test_a_long_one_that_waited_too_long_takes_a_kept_row_too() -> None:
    clock = ManualClock()
    waiting = scheduler(*(piece(ticket, text=LONG) for ticket in (1, 2)), clock=clock, short_share=0.5)
    assert [waiting.take(2) is None for _ in range(2)] == [False, True]
    clock.advance(599)
    assert waiting.take(2) is None
    clock.advance(1)
    assert waiting.take(2) is not None


def test_a_flood_is_given_no_more_than_another_source() -> None:
    waiting = scheduler(*(piece(ticket, source="flood", ids=5) for ticket in range(1, 1001)))
    for ticket in range(2001, 2101):
        waiting.add(piece(ticket, source="other", ids=20))
    given: Counter[str] = Counter()
    for one in drained(waiting)[:250]:
        given[one.job.utterance.source] += cost(one)
    assert given["flood"] == given["other"]


def test_a_source_that_was_idle_saved_nothing_up() -> None:
    waiting = scheduler(*(piece(ticket, source="busy") for ticket in range(1, 51)))
    assert len(waiting) == 50
    for _ in range(30):
        waiting.leave(waiting.take(1) or piece(0))
    for ticket in range(101, 151):
        waiting.add(piece(ticket, source="late"))
    sources = [one.job.utterance.source for one in drained(waiting)[:20]]
    assert Counter(sources) == {"busy": 10, "late": 10}


def test_a_source_that_waits_for_nothing_between_two_texts_owes_what_it_was_given() -> None:
    waiting = scheduler(*(piece(ticket, source="many", ids=10) for ticket in range(1, 31)))
    given: Counter[str] = Counter()
    for ticket in range(31, 39):
        waiting.add(piece(ticket, source="one", ids=30))
        while (one := waiting.take(1)) is not None:
            given[one.job.utterance.source] += 1
            waiting.leave(one)
            if one.job.utterance.source == "one":
                break
    assert given["one"] == 8
    assert 3 * 7 <= given["many"] <= 3 * 8


def test_a_dropped_utterance_is_gone_from_queue_and_rows() -> None:
    waiting = scheduler(piece(1, text=LONG), piece(1, 1, text=LONG), piece(2), piece(3, text=LONG), short_share=0.5)
    assert tickets(taken(waiting, 2)) == [1, 2]
    waiting.drop(Ticket(1))
    waiting.drop(Ticket(9))
    assert len(waiting) == 1
    assert tickets(taken(waiting, 2)) == [3]


POLICIES = st.fixed_dictionaries(
    {
        "longest_wait": st.sampled_from([1.0, 5.0, 1000.0]),
        "short_share": st.sampled_from([0.0, 0.25, 0.5, 0.9]),
        "short_cost": st.sampled_from([61, 250]),
        "fair_sources": st.booleans(),
    }
)


@given(POLICIES, st.integers(1, 6), st.integers(0, 2**32))
def test_it_takes_what_the_policy_in_plain_words_takes(policy: dict[str, Any], rows: int, seed: int) -> None:
    clock, lots = ManualClock(), random.Random(seed)
    ours, model = scheduler(clock=clock, **policy), Model(Schedule(**policy), clock)
    speaking: list[Piece] = []
    for ticket in range(1, 120):
        for index in range(lots.choice([0, 1, 1, 2])):
            one = piece(ticket, index, lots.choice("abc"), lots.choice([SHORT, LONG]), lots.randint(1, 40))
            ours.add(one)
            model.add(one)
        clock.advance(lots.choice([0, 0, 0.25, 1]))
        admitted = lots.randint(1, rows)
        one_taken = ours.take(admitted)
        assert one_taken is model.take(admitted)
        speaking += [one_taken] if one_taken else []
        if speaking and lots.random() < 0.5:
            left = speaking.pop(lots.randrange(len(speaking)))
            ours.leave(left)
            model.leave(left)
        if lots.random() < 0.1:
            gone = Ticket(lots.randint(1, ticket))
            ours.drop(gone)
            model.drop(gone)
            speaking = [one for one in speaking if one.job.ticket != gone]


@given(
    POLICIES, st.integers(1, 6), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([SHORT, LONG])), min_size=1)
)
def test_whoever_waits_is_taken_in_the_end(policy: dict[str, Any], rows: int, texts: list[tuple[str, str]]) -> None:
    waiting = scheduler(*(piece(ticket, 0, *text) for ticket, text in enumerate(texts)), **policy)
    spoken: list[Piece] = []
    while len(waiting):
        speaking = taken(waiting, rows)
        assert speaking  # with all rows free somebody goes
        for one in speaking:
            waiting.leave(one)
        spoken += speaking
    assert sorted(tickets(spoken)) == list(range(len(texts)))


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.0, 0.5]), st.booleans())
def test_a_flood_of_short_texts_starves_nobody(rows: int, arriving: int, share: float, fair: bool) -> None:
    """Each text is spoken for a second. The long one goes as soon as it waited too long, for all others are younger."""
    clock, longest = ManualClock(), 20.0
    waiting = scheduler(clock=clock, longest_wait=longest, short_share=share, fair_sources=fair)
    waiting.add(piece(10_000, source="a", text=LONG))  # as young as can be
    began = clock.monotonic()
    for second in range(100):
        for number in range(arriving * rows):
            waiting.add(piece(second * 100 + number, source=f"s{second}"))
        speaking = taken(waiting, rows)
        if 10_000 in tickets(speaking):
            break
        clock.advance(1)
        for one in speaking:
            waiting.leave(one)
    assert clock.monotonic() - began <= longest


@given(
    st.lists(st.integers(1, 40), min_size=80, max_size=80),
    st.lists(st.integers(1, 40), min_size=80, max_size=80),
    st.integers(1, 4),
)
def test_two_sources_that_both_wait_are_given_alike(first: list[int], second: list[int], rows: int) -> None:
    """At any time they differ by one piece of each, as the theorem says of start-time fair queuing."""
    waiting = scheduler(longest_wait=1e9)
    for ticket, ids in enumerate(first):
        waiting.add(piece(ticket, source="a", ids=ids))
    for ticket, ids in enumerate(second):
        waiting.add(piece(1000 + ticket, source="b", ids=ids))
    given: Counter[str] = Counter()
    left = {"a": len(first), "b": len(second)}
    speaking: list[Piece] = []
    while all(left.values()):
        if len(speaking) == rows:
            waiting.leave(speaking.pop(0))
        one = waiting.take(rows)
        assert one is not None
        speaking.append(one)
        given[one.job.utterance.source] += cost(one)
        left[one.job.utterance.source] -= 1
        assert abs(given["a"] - given["b"]) <= 8 * (max(first) + max(second))


def test_the_same_calls_at_the_same_times_take_the_same() -> None:
    def order() -> list[tuple[int, int]]:
        clock, lots = ManualClock(), random.Random(7)
        waiting = scheduler(clock=clock, longest_wait=20, short_share=0.3)
        places: list[tuple[int, int]] = []
        speaking: list[Piece] = []
        for ticket in range(500):
            waiting.add(piece(ticket, 0, f"s{lots.randrange(9)}", lots.choice([SHORT, LONG]), lots.randint(1, 30)))
            clock.advance(lots.random())
            speaking += (joined := taken(waiting, 5))
            places += [one.place for one in joined]
            if len(speaking) > 3:
                waiting.leave(speaking.pop(0))
        return places

    assert order() == order()
