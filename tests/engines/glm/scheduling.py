"""Pieces to be scheduled, and the policy in so many plain words: a model that looks at everything at each step."""

from __future__ import annotations

from typing import cast

from streamer.clock import ManualClock
from streamer.engines.base import Ticket, Utterance, estimated_tokens
from streamer.engines.glm.draws import Draws
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.scheduler import cost
from streamer.engines.glm.text.front import Segment
from streamer.settings_engines import Schedule
from streamer.voices import Voice

SHORT, LONG = "好" * 10, "好" * 100
"""Texts of 61 and 601 estimated speech tokens."""


def piece(ticket: int, index: int = 0, source: str = "", text: str = SHORT, ids: int = 10) -> Piece:
    """The segment `index` of a text, all of whose segments have so many tokens."""
    job = Job(Ticket(ticket), Utterance(text=text, voice=Voice(name="v"), seed=0, source=source))
    job.segments = [Segment("", [0] * ids)] * (index + 1)
    return Piece(job, index, cast(Draws, None))


class Model:
    """As Scheduler, by looking at all pieces and sources."""

    def __init__(self, schedule: Schedule, clock: ManualClock) -> None:
        self._schedule, self._clock = schedule, clock
        self._waiting: list[tuple[float, Piece]] = []
        self._rows: list[Piece] = []
        self._times: dict[str, int] = {}
        self._clocks = {True: 0, False: 0}

    def add(self, piece: Piece) -> None:
        source = self._source(piece)
        if all(self._source(other) != source for _, other in self._waiting):
            self._times[source] = max(self._times.get(source, 0), self._clocks[self._short(piece)])
        self._waiting.append((self._clock.monotonic(), piece))

    def take(self, admitted: int) -> Piece | None:
        if not self._waiting or len(self._rows) >= admitted:
            return None
        overdue = self._clock.monotonic() - self._waiting[0][0] >= self._schedule.longest_wait
        kept = self._schedule.kept_rows(admitted)
        full = sum(not self._short(one) for one in self._rows) >= max(1, admitted - kept)
        lengths = {True} if full and not overdue else {True, False}
        fit = [one for _, one in self._waiting if self._short(one) in lengths]
        if not fit:
            return None
        first = min(fit, key=lambda one: (self._times[self._source(one)], one.place))
        for length in lengths:
            self._clocks[length] = max(self._clocks[length], self._times[self._source(first)])
        taken = self._waiting[0][1] if overdue else first
        self._times[self._source(taken)] += cost(taken)
        self._waiting = [(since, one) for since, one in self._waiting if one is not taken]
        self._rows.append(taken)
        return taken

    def leave(self, piece: Piece) -> None:
        self._rows.remove(piece)

    def drop(self, ticket: Ticket) -> None:
        self._waiting = [(since, one) for since, one in self._waiting if one.job.ticket != ticket]
        self._rows = [one for one in self._rows if one.job.ticket != ticket]

    def _source(self, piece: Piece) -> str:
        return piece.job.utterance.source if self._schedule.fair_sources else ""

    def _short(self, piece: Piece) -> bool:
        return estimated_tokens(piece.job.utterance.text) <= self._schedule.short_cost
