"""Who gets the next free row of the LLM, as `[engine.glm.schedule]` says. No byte of the audio depends on it.

First whoever waited longer than `longest_wait`, in the order of waiting. Then, as long as a row is free that long texts
may take, the source that was given least (fair_queue.py), and of that one the oldest utterance's earliest segment; once
only the rows are left that are kept for short texts, the same among those. Long ones may take any row, if few enough of
them are in: no row is a particular one.

The rows that are kept are shared alike by themselves, and so are the others: what a source is given of the one is not
charged in the other. Or else whoever may take nothing of the one for a while would save up credit for the other.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from streamer.clock import Clock
from streamer.engines.base import Ticket, estimated_tokens
from streamer.engines.glm.fair_queue import FairQueue, Place
from streamer.engines.glm.pieces import Piece
from streamer.observe.logs import Log
from streamer.settings_engines import Schedule

_SPEECH_TOKENS = 8
"""Estimated, for each text token of a segment: an ideograph takes 6, and one token is 1.3 of them; of Latin letters a
token is four or five, and each takes 1.8 (engines.base.estimated_tokens)."""


_OFTEN = 100
"""Overdue segments in a row."""


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

    def __init__(self, schedule: Schedule, clock: Clock, log: Log) -> None:
        self._schedule = schedule
        self._clock = clock
        self._log = log
        self._late = 0
        """Overdue ones in a row, by now."""
        self._waiting: OrderedDict[Place, _Waiting] = OrderedDict()
        """In the order of waiting."""
        self._rows: set[Place] = set()
        """Those that are in rows, and of them those of long texts."""
        self._long: set[Place] = set()
        self._any = FairQueue()
        """For the rows that any text may take: all that wait."""
        self._kept = FairQueue()
        """For the rows that are kept: the short ones of them."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, piece: Piece) -> None:
        """Let it wait."""
        source = piece.job.utterance.source if self._schedule.fair_sources else ""
        self._waiting[piece.place] = _Waiting(piece, self._clock.monotonic())
        self._any.add(piece.place, source, cost(piece))
        if self._short(piece):
            self._kept.add(piece.place, source, cost(piece))

    def take(self, admitted: int) -> Piece | None:
        """Who goes into a row now; it is in until `leave` or `drop`. `admitted`: as many as may be in together.

        None: nobody waits, no row is free, or those that are free are kept for short texts and none waits.
        """
        if not self._waiting or len(self._rows) >= admitted:
            return None
        place = self._overdue()
        self._count(late=place is not None)
        kept = len(self._long) >= self._open(admitted)
        if kept and place is not None:
            kept = self._short(self._waiting[place].piece)  # a long one that is overdue goes where it may not
        queue = self._kept if kept else self._any
        place = queue.first() if place is None else place
        if place is None:
            return None
        queue.take(place)
        piece = self._forget(place)
        self._rows.add(place)
        if not self._short(piece):
            self._long.add(place)
        return piece

    def leave(self, piece: Piece) -> None:
        """It needs its row no longer."""
        self._rows.discard(piece.place)
        self._long.discard(piece.place)

    def drop(self, ticket: Ticket) -> None:
        """Forget the pieces of an utterance, waiting or in rows."""
        for place in [place for place in self._waiting if place[0] == ticket]:
            self._forget(place)
        for places in (self._rows, self._long):
            places.difference_update([place for place in places if place[0] == ticket])

    def _forget(self, place: Place) -> Piece:
        """It does not wait any longer."""
        self._any.drop(place)
        self._kept.drop(place)
        return self._waiting.pop(place).piece

    def _overdue(self) -> Place | None:
        place, oldest = next(iter(self._waiting.items()))
        late = self._clock.monotonic() - oldest.since >= self._schedule.longest_wait
        return place if late else None

    def _count(self, *, late: bool) -> None:
        """The rule for the overdue is for the exception. Where it is the rule, somebody should hear of it."""
        self._late = self._late + 1 if late and (self._schedule.short_share or self._schedule.fair_sources) else 0
        if self._late == _OFTEN:
            self._log.warning(
                "all segments wait longer than engine.glm.schedule.longest_wait, so that short_share and fair_sources "
                "have no effect; raise it, or lower largest_cost",
                longest_wait=self._schedule.longest_wait,
                waiting=len(self._waiting),
            )

    def _open(self, admitted: int) -> int:
        """How many long texts may be in: at least one, however few rows memory is left for."""
        return max(1, admitted - self._schedule.kept_rows(admitted))

    def _short(self, piece: Piece) -> bool:
        return estimated_tokens(piece.job.utterance.text) <= self._schedule.short_cost
