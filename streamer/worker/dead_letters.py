"""The dead-letter limit: a bad deploy must not empty the request topic into tts.failed."""

from __future__ import annotations

from collections import deque

from streamer.errors import DeadLetterLimit


class DeadLetters:
    """Remembers how the last records fared in render, engine and verification.

    Expired, undecodable, invalid and conflicting records do not count, nor do events without a rule or that a rule
    fails which has rendered others: those are their senders' doing.
    """

    def __init__(self, window: int, share: float) -> None:
        self._window = window
        self._last: deque[bool] = deque(maxlen=window)
        self._most = max(1, int(window * share))
        self._failures = 0

    def spoken(self) -> None:
        self._note(False)

    def failed(self, message: str, *, spoken: bool = False) -> None:
        """Called before the failure's verdict. `spoken`: it had been counted as spoken, which does not hold any more.

        Errors: DeadLetterLimit, and then no verdict must be written.
        """
        if spoken:
            self._forget_one_spoken()
        failures = self._failures - self._leaving() + 1
        if failures >= self._most:
            raise DeadLetterLimit(
                f"{failures} of the last {min(len(self._last) + 1, self._window)} records failed, the last one "
                f"with: {message}; "
                "the worker stops before it turns good requests into failures: fix the engine or the templates, "
                "or raise worker.dead_letter_share"
            )
        self._note(True)

    def _forget_one_spoken(self) -> None:
        """The latest; which one it was makes no difference that lasts."""
        for index in range(len(self._last) - 1, -1, -1):
            if not self._last[index]:
                del self._last[index]
                return

    def _note(self, failed: bool) -> None:
        self._failures += failed - self._leaving()
        self._last.append(failed)

    def _leaving(self) -> bool:
        """Whether the record that the next one pushes out of the window had failed."""
        return len(self._last) == self._window and self._last[0]
