"""Keeping an engine busy with so many utterances at once, by nothing but its interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streamer.engines.base import Failure, Samples, Synthesizer, Ticket, Utterance


class NotSpoken(Exception):
    """An utterance that the engine failed."""


class Busy:
    """A new utterance is submitted when one is done."""

    def __init__(
        self,
        engine: Synthesizer,
        utterances: Iterable[tuple[int, Utterance]],
        concurrency: int,
        spoken: Callable[[int, Samples], None],
    ) -> None:
        """Each utterance has a number, which `spoken` is told with its samples."""
        self._engine, self._concurrency, self._spoken = engine, concurrency, spoken
        self._waiting = iter(utterances)
        self._under_way: dict[Ticket, int] = {}

    def turn(self) -> bool:
        """Advance by a step. False: all are done. Errors: NotSpoken, and what the step raises."""
        self._fill()
        if not self._under_way:
            return False
        for report in self._engine.step():
            number = self._under_way.pop(report.ticket)
            if isinstance(report, Failure):
                raise NotSpoken(f"utterance {number}: {report.message}")
            self._spoken(number, report.samples)
        return True

    def stop(self) -> None:
        """Forget what is under way."""
        for ticket in self._under_way:
            self._engine.cancel(ticket)
        self._under_way.clear()

    def _fill(self) -> None:
        while len(self._under_way) < self._concurrency and (one := next(self._waiting, None)) is not None:
            number, utterance = one
            self._under_way[self._engine.submit(utterance)] = number
