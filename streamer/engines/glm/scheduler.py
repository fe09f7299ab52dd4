"""Who gets the next free row of the LLM, as `[engine.glm.schedule]` says. No byte of the audio depends on it.

First whoever waited longer than `longest_wait`, in the order of waiting. Then, as long as a row is free that long texts
may take, the source that was given least (fair_queue.py), and of that one the oldest utterance's earliest segment; once
only the rows are left that are kept for short texts, the same among those. Long ones may take any row, if few enough of
them are in: no row is a particular one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import NamedTuple

from streamer.clock import Clock
from streamer.engines.base import Ticket, estimated_tokens
from streamer.engines.glm.fair_queue import FairQueue, Length, Place
from streamer.engines.glm.pieces import Piece
from streamer.settings_engines import Schedule

_SPEECH_TOKENS = 8
"""Estimated, for each text token of a segment: an ideograph takes 6, and one token is 1.3 of them; of Latin letters a
token is four or five, and each takes 1.8 (engines.base.estimated_tokens)."""
_ALL: Collection[Length] = tuple(Length)
_SHORT: Collection[Length] = (Length.SHORT,)


def cost(piece: Piece) -> int:
    """Estimated speech tokens of a segment. What one source is given is compared by it with what others are."""
    return max(1, _SPEECH_TOKENS * len(piece.job.segments[piece.index].ids))


class _Waiting(NamedTuple):
    piece: Piece
    since: float
    """By the monotonic clock."""


class Scheduler:
    """Holds the pieces that wait, and counts those that are in rows. What it takes depends on the clock and on the
    order of the calls alone."""

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self._schedule = schedule
        self._clock = clock
        self._waiting: OrderedDict[Place, _Waiting] = OrderedDict()
        """In the order of waiting."""
        self._rows: dict[Length, set[Place]] = {length: set() for length in Length}
        """Those that are in rows."""
        self._queue = FairQueue()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, piece: Piece) -> None:
        """Let it wait."""
        source = piece.job.utterance.source if self._schedule.fair_sources else ""
        self._waiting[piece.place] = _Waiting(piece, self._clock.monotonic())
        self._queue.add(piece.place, source, self._length(piece), cost(piece))

    def take(self, admitted: int) -> Piece | None:
        """Who goes into a row now; it is in until `leave` or `drop`. `admitted`: as many as may be in together.

        None: nobody waits, no row is free, or those that are free are kept for short texts and none waits.
        """
        if not self._waiting or sum(map(len, self._rows.values())) >= admitted:
            return None
        lengths = _ALL
        place = self._overdue()
        if place is None:
            if len(self._rows[Length.LONG]) >= self._open(admitted):
                lengths = _SHORT
            place = self._queue.first(lengths)
        if place is None:
            return None
        self._queue.take(place, lengths)
        piece, _ = self._waiting.pop(place)
        self._rows[self._length(piece)].add(place)
        return piece

    def leave(self, piece: Piece) -> None:
        """It needs its row no longer."""
        self._rows[self._length(piece)].discard(piece.place)

    def drop(self, ticket: Ticket) -> None:
        """Forget the pieces of an utterance, waiting or in rows."""
        for place in [place for place in self._waiting if place[0] == ticket]:
            del self._waiting[place]
            self._queue.drop(place)
        for length, places in self._rows.items():
            self._rows[length] = {place for place in places if place[0] != ticket}

    def _overdue(self) -> Place | None:
        place, oldest = next(iter(self._waiting.items()))
        late = self._clock.monotonic() - oldest.since >= self._schedule.longest_wait
        return place if late else None

    def _open(self, admitted: int) -> int:
        """How many long texts may be in: at least one, however few rows memory is left for."""
        return max(1, admitted - self._schedule.kept_rows(admitted))

    def _length(self, piece: Piece) -> Length:
        short = estimated_tokens(piece.job.utterance.text) <= self._schedule.short_cost
        return Length.SHORT if short else Length.LONG
