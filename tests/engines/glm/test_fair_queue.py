from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.base import Ticket
from streamer.engines.glm.fair_queue import FairQueue
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.scheduler import Scheduler
from tests.engines.glm.scheduling import LONG, SHORT, drained, piece, scheduler, tickets, went


def held_up(*pieces: Piece) -> Scheduler:
    """Of two rows a long text has the one, and the other is kept: the long ones behind it are held up. Meanwhile the
    source `busy` was given 300 short ones, and has 300 more. `pieces` come before those."""
    long = [piece(ticket, source="held", text=LONG) for ticket in range(1, 9)]
    waiting = scheduler(*long, *pieces, short_share=0.5)
    assert went(waiting, 2) == [1]
    for ticket in range(1000, 1600):
        waiting.add(piece(ticket, source="busy"))
    assert turns(waiting, 300) == {"busy": 300}
    return waiting


def turns(waiting: Scheduler, many: int) -> Counter[str]:
    """Who gets the next so many turns of the second row."""
    sources: Counter[str] = Counter()
    for _ in range(many):
        waiting.leave(one := waiting.take(2) or piece(0))
        sources[one.job.utterance.source] += 1
    return sources


@pytest.mark.parametrize("first", ["", "before", "after"])
def test_a_source_whose_long_text_is_held_up_saves_nothing_up_for_its_short_ones(first: str) -> None:
    long = piece(9, source="late", text=LONG)
    waiting = held_up(*[long] * (first == "before"))
    if first == "after":
        waiting.add(long)
    for ticket in range(2000, 2300):
        waiting.add(piece(ticket, source="late"))
    assert turns(waiting, 200) == {"busy": 100, "late": 100}


def test_short_texts_spoken_meanwhile_put_a_long_one_behind_nobody() -> None:
    """In kept rows they count among the short ones only, whose clock is far ahead."""
    waiting = held_up()
    for ticket in range(2000, 2100):
        waiting.add(piece(ticket, source="late"))
    assert turns(waiting, 200) == {"busy": 100, "late": 100}
    for ticket in (10, 11):
        waiting.add(piece(ticket, source="late", text=LONG))
    for ticket in range(1000, 1600):
        waiting.drop(Ticket(ticket))
    waiting.drop(Ticket(1))
    assert tickets(drained(waiting, 2))[:4] == [10, 2, 11, 3]  # 1 was given to the source of 2 already


def test_who_was_given_kept_rows_owes_nothing_to_a_newcomer_in_the_others() -> None:
    waiting = held_up()
    for ticket in range(1, 9):
        waiting.drop(Ticket(ticket))
    for ticket in range(2000, 2300):
        waiting.add(piece(ticket, source="late"))
    assert turns(waiting, 200) == {"busy": 100, "late": 100}


@given(st.lists(st.sampled_from([SHORT, LONG]), min_size=20, max_size=20), st.integers(0, 20))
def test_whatever_a_source_did_before_it_gets_half_of_the_kept_rows(texts: list[str], many: int) -> None:
    """The source sends and is given whatever it is, while long texts are held up and others keep waiting."""
    waiting = held_up()
    for ticket, text in enumerate(texts, start=3000):
        waiting.add(piece(ticket, source="late", text=text))
        if ticket < 3000 + many:
            turns(waiting, 1)
    for ticket in range(4000, 4100):
        waiting.add(piece(ticket, source="late"))
    sources = turns(waiting, 100)
    assert abs(sources["late"] - sources["busy"]) <= 2


def test_sources_that_wait_for_nothing_are_forgotten() -> None:
    queue = FairQueue()
    for number in range(1000):
        queue.add((number, 0), f"source {number}", 10)
        queue.take((number, 0))
        queue.add((number, 1), "steady", 10)
        queue.take((number, 1))
    assert queue.sources < 40
    queue = FairQueue()
    for number in range(20_000):
        queue.add((number, 0), f"source {number}", 10)
        queue.take((number, 0))  # all begin at the same time, which the clock does not pass
    assert queue.sources < 10_100


@pytest.mark.parametrize("sources", [1, 10])
def test_what_passes_by_while_others_are_held_up_leaves_nothing_behind(sources: int) -> None:
    queue = FairQueue()
    for number in range(sources):
        queue.add((number, 0), f"source {number}", 10)  # and stays
    for number in range(100, 5100):
        queue.add((number, 0), f"source {number % sources}", 10)
        queue.add((number, 1), f"passes {number}", 10)
        assert queue.first() == (0, 0)
        queue.drop((number, 0))
        queue.drop((number, 1))
    assert queue.held < 100 * sources
    assert queue.sources == sources
