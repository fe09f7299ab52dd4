"""Backing off: what waits until something outside is back, asked for ever more rarely the longer it is away."""

from __future__ import annotations

from typing import Generic, TypeVar

from streamer.clock import Clock

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
"""Seconds."""

W = TypeVar("W")


class Backoff(Generic[W]):
    """All that waits is tried again at once; who fails first begins the next, longer wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[W] = []
        self._delay = 0.0
        self._retry_at = 0.0

    @property
    def active(self) -> bool:
        """Until something went well and nothing waits."""
        return self._delay > 0

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def wait(self, work: W) -> float:
        """Keep it. The seconds of the wait that begins with it; 0 where one has begun."""
        began = not self._waiting
        self._waiting.append(work)
        if not began:
            return 0.0
        self._delay = min(_LONGEST_DELAY, max(_FIRST_DELAY, self._delay * 2))
        self._retry_at = self._clock.monotonic() + self._delay
        return self._delay

    def due(self) -> list[W]:
        """What is to be tried again now."""
        if not self._waiting or self._clock.monotonic() < self._retry_at:
            return []
        due, self._waiting = self._waiting, []
        return due

    def went_well(self) -> None:
        """It answered."""
        if not self._waiting:
            self._delay = 0.0
