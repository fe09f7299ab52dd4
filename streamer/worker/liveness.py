"""Liveness is progress of the work: once a client call or an engine step is past its limit, only leaving helps.

librdkafka's calls have been seen to block for minutes while signals do not reach Python. Backing off and idling are no
calls under way, and so never stuck.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from streamer.clock import Clock

STUCK = 70
"""Exit code of a process that left because it was stuck (EX_SOFTWARE); the supervisor restarts it."""


class Liveness:
    """Knows which call is under way since when; `stuck` says whether one is past its limit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._call: tuple[str, float] | None = None

    @contextmanager
    def call(self, name: str, limit: float) -> Iterator[None]:
        """`limit`: seconds."""
        outer, self._call = self._call, (name, self._clock.monotonic() + limit)
        try:
            yield
        finally:
            self._call = outer

    def stuck(self) -> str | None:
        """The name of the call that is past its limit."""
        call = self._call
        return call[0] if call is not None and self._clock.monotonic() > call[1] else None


class Watchdog:
    """A thread that asks, and leaves by `os._exit` with all stacks on standard error."""

    def __init__(self, stuck: Callable[[], str | None], interval: float = 1.0) -> None:
        self._stuck, self._interval = stuck, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            name = self._stuck()
            if name is not None:
                leave(name)


def leave(name: str) -> NoReturn:
    """Dump every thread's stack and end the process at once."""
    sys.stderr.write(f"streamer: {name} is stuck past its limit; leaving, to be restarted\n")
    faulthandler.dump_traceback(all_threads=True)
    os._exit(STUCK)
