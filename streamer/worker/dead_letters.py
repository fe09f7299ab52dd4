"""The dead-letter limit: a bad deploy must not empty the request topic into tts.failed."""

from __future__ import annotations

from collections import deque

from streamer.errors import DeadLetterLimit


class DeadLetters:
    """Remembers how the last records fared in render, engine and verification.

    Expired, undecodable, invalid and conflicting records do not count: those are their senders' doing.
    """

    def __init__(self, window: int, share: float) -> None:
        self._last: deque[bool] = deque(maxlen=window)
        self._most = max(1, int(window * share))
        self._failures = 0

    def spoken(self) -> None:
        self._note(False)

    def failed(self, message: str) -> None:
        """Called before the failure's verdict. Errors: DeadLetterLimit, and then no verdict must be written."""
        if self._failures + 1 >= self._most:
            raise DeadLetterLimit(
                f"{self._failures + 1} of the last {len(self._last) + 1} records failed, the last one with: {message}; "
                "the worker stops before it turns good requests into failures: fix the engine or the templates, "
                "or raise worker.dead_letter_share"
            )
        self._note(True)

    def _note(self, failed: bool) -> None:
        if len(self._last) == self._last.maxlen:
            self._failures -= self._last[0]
        self._last.append(failed)
        self._failures += failed
