"""Pieces to be scheduled, and the policy in so many plain words: a model that looks at everything at each step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from streamer.clock import ManualClock
from streamer.engines.base import Ticket, Utterance, estimated_tokens
from streamer.engines.glm.draws import Draws
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.scheduler import Scheduler, cost
from streamer.engines.glm.text.segment import Segment
from streamer.observe.logs import Log
from streamer.settings_engines import Schedule
from streamer.voices import Voice
from tests.worker.replay.rig import Heard

SHORT, LONG = "好" * 10, "好" * 100
"""Texts of 61 and 601 estimated speech tokens."""


def piece(ticket: int, index: int = 0, source: str = "", text: str = SHORT, ids: int = 10) -> Piece:
    """The segment `index` of a text, all of whose segments have so many tokens."""
    job = Job(Ticket(ticket), Utterance(text=text, voice=Voice(name="v"), seed=0, source=source))
    job.segments = [Segment("", [0] * ids)] * (index + 1)
    return Piece(job, index, cast(Draws, None))


def scheduler(*pieces: Piece, clock: ManualClock | None = None, log: Log | None = None, **policy: Any) -> Scheduler:
    made = Scheduler(Schedule(**policy), clock or ManualClock(), log or Heard())
    for one in pieces:
        made.add(one)
    return made


def drained(scheduler: Scheduler, admitted: int = 1) -> list[Piece]:
    """All in the order in which they are taken, each of which leaves at once."""
    order = []
    while (taken := scheduler.take(admitted)) is not None:
        order.append(taken)
        scheduler.leave(taken)
    return order


def went(scheduler: Scheduler, admitted: int) -> list[int]:
    """The ticket of whoever goes next; none, if nobody may."""
    piece = scheduler.take(admitted)
    return [] if piece is None else [piece.job.ticket]


def taken(scheduler: Scheduler, admitted: int) -> list[Piece]:
    """All that go into rows by now."""
    return list(iter(lambda: scheduler.take(admitted), None))


def tickets(pieces: Iterable[Piece]) -> list[int]:
    return [one.job.ticket for one in pieces]


class Model:
    """As Scheduler, by looking at all pieces and sources."""

    def __init__(self, schedule: Schedule, clock: ManualClock) -> None:
        self._schedule, self._clock = schedule, clock
        self._waiting: list[tuple[float, Piece]] = []
        self._rows: list[Piece] = []
        self._times: dict[tuple[bool, str], int] = {}
        """By kind of row, kept or not, and source."""
        self._clocks = {True: 0, False: 0}

    def add(self, piece: Piece) -> None:
        for kept in (True, False):
            key = self._key(kept, piece)
            if all(self._key(kept, other) != key for other in self._fit(kept)):
                self._times[key] = max(self._times.get(key, 0), self._clocks[kept])
        self._waiting.append((self._clock.monotonic(), piece))

    def take(self, admitted: int) -> Piece | None:
        if not self._waiting or len(self._rows) >= admitted:
            return None
        overdue = self._clock.monotonic() - self._waiting[0][0] >= self._schedule.longest_wait
        open_rows = max(1, admitted - self._schedule.kept_rows(admitted))
        kept = sum(not self._short(one) for one in self._rows) >= open_rows
        if overdue and not self._short(self._waiting[0][1]):
            kept = False
        if not (fit := self._fit(kept)):
            return None
        first = min(fit, key=lambda one: (self._times[self._key(kept, one)], one.place))
        self._clocks[kept] = self._times[self._key(kept, first)]
        taken = self._waiting[0][1] if overdue else first
        self._times[self._key(kept, taken)] += cost(taken)
        self._waiting = [(since, one) for since, one in self._waiting if one is not taken]
        self._rows.append(taken)
        return taken

    def leave(self, piece: Piece) -> None:
        self._rows.remove(piece)

    def drop(self, ticket: Ticket) -> None:
        self._waiting = [(since, one) for since, one in self._waiting if one.job.ticket != ticket]
        self._rows = [one for one in self._rows if one.job.ticket != ticket]

    def _fit(self, kept: bool) -> list[Piece]:
        return [one for _, one in self._waiting if self._short(one) or not kept]

    def _key(self, kept: bool, piece: Piece) -> tuple[bool, str]:
        return kept, piece.job.utterance.source if self._schedule.fair_sources else ""

    def _short(self, piece: Piece) -> bool:
        return estimated_tokens(piece.job.utterance.text) <= self._schedule.short_cost
