from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.base import Ticket, Utterance
from streamer.engines.glm.draws import Draws
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.queues import Queue, Room
from streamer.voices import Voice


def piece(ticket: int, index: int = 0, tokens: int = 0) -> Piece:
    made = Piece(Job(Ticket(ticket), Utterance(text="a", voice=Voice(name="v"), seed=0)), index, cast(Draws, None))
    made.tokens = [0] * tokens
    return made


def places(pieces: list[Piece]) -> list[tuple[int, int]]:
    return [one.place for one in pieces]


def test_older_utterances_and_earlier_segments_go_first() -> None:
    queue = Queue()
    for place in [(3, 0), (1, 2), (2, 0), (1, 1)]:
        queue.add(piece(*place))
    assert places(queue.take(lambda _: 3)[0]) == [(1, 1), (1, 2), (2, 0)]
    assert len(queue) == 1


def test_a_batch_is_the_oldest_and_others_of_its_bucket() -> None:
    queue = Queue(lambda one: len(one.tokens))
    for ticket, length in [(1, 64), (2, 32), (3, 64), (4, 64), (5, 32)]:
        queue.add(piece(ticket, tokens=length))
    taken, bucket, rows = queue.take(lambda bucket: bucket // 32)
    assert (places(taken), bucket, rows) == ([(1, 0), (3, 0)], 64, 2)
    taken, bucket, _ = queue.take(lambda _: 4)
    assert (places(taken), bucket) == ([(2, 0), (5, 0)], 32)
    assert places(queue.take(lambda _: 4)[0]) == [(4, 0)]


def test_all_pieces_of_an_utterance_are_dropped() -> None:
    queue = Queue()
    for place in [(1, 0), (2, 0), (2, 1)]:
        queue.add(piece(*place))
    queue.drop(Ticket(2))
    queue.drop(Ticket(9))
    assert places(queue.take(lambda _: 9)[0]) == [(1, 0)]


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([32, 64, 96]))), st.integers(1, 4))
def test_each_piece_is_taken_once_and_none_waits_behind_a_younger_one(
    waiting: list[tuple[int, int]], rows: int
) -> None:
    queue = Queue(lambda one: len(one.tokens))
    for index, (ticket, length) in enumerate(waiting):
        queue.add(piece(ticket, index, length))
    left = sorted((ticket, index) for index, (ticket, _) in enumerate(waiting))
    while queue:
        taken, bucket, _ = queue.take(lambda _: rows)
        assert 1 <= len(taken) <= rows
        assert {len(one.tokens) for one in taken} == {bucket}
        assert taken[0].place == left[0]
        left = [place for place in left if place not in places(taken)]
    assert not left


def test_room_shrinks_to_half_of_what_was_too_much_and_comes_back() -> None:
    room = Room(8)
    room.squeeze(8)
    assert room.admitted == 4
    room.squeeze(3)
    assert room.admitted == 1
    room.squeeze(1)
    assert room.admitted == 1
    for _ in range(20):
        room.went_well()
    assert room.admitted == 8
