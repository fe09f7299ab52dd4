"""Whether Kafka and the store answer: asked again and again off the loop, so that `/readyz` never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamer.clock import Clock
from streamer.errors import StreamerError

INTERVAL = 1.0
STALE = 5.0
"""Seconds after which an answer no longer counts: the call hangs."""


class Probe:
    """One dependency, asked by a daemon thread. `ask` raises StreamerError when it is not well."""

    def __init__(self, name: str, ask: Callable[[], object], clock: Clock) -> None:
        self.name = name
        self._ask, self._clock = ask, clock
        self._closing = threading.Event()
        self._answer: tuple[float, str | None] = (clock.monotonic(), "was not asked yet")
        self._thread = threading.Thread(target=self._run, name=f"probe-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ask no more; does not wait for a call that hangs."""
        self._closing.set()

    @property
    def problem(self) -> str | None:
        """What is wrong with it, None while all is well."""
        since, problem = self._answer
        silent = self._clock.monotonic() - since
        return f"has not answered for {silent:.0f} s" if silent > STALE else problem

    def _run(self) -> None:
        while not self._closing.is_set():
            problem = self._once()
            self._answer = (self._clock.monotonic(), problem)
            self._closing.wait(INTERVAL)

    def _once(self) -> str | None:
        try:
            self._ask()
        except StreamerError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not well, and /readyz says so
            return f"{type(error).__name__}: {error}"
        return None
