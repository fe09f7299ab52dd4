"""Messages on their way to Kafka, so many at once."""

from __future__ import annotations

from streamer.errors import Retriable
from streamer.kafka.base import Delivered, Message, Publisher

_WINDOW = 1_000
"""Messages that may wait for their acks."""
_WINDOW_BYTES = 32 * 1024 * 1024
_POLL = 0.1


class Sending:
    """Single-threaded; memory is bounded by a window. Errors: those of the publisher that end it."""

    def __init__(self, publisher: Publisher, window: int = _WINDOW) -> None:
        self._publisher, self._window = publisher, window
        self._count = self._bytes = 0

    def send(self, message: Message, delivered: Delivered) -> None:
        """Waits while the window is full: the publisher answers for every message within its own time limit."""
        size = len(message.value or b"")

        def answered(error: Exception | None) -> None:
            self._count -= 1
            self._bytes -= size
            delivered(error)

        while self._count and (self._count >= self._window or self._bytes + size > _WINDOW_BYTES):
            self._publisher.poll(_POLL)
        while True:
            try:
                self._publisher.publish(message, answered)
                break
            except Retriable:  # its own queue is full
                self._publisher.poll(_POLL)
        self._count += 1
        self._bytes += size
        self._publisher.poll(0)

    def finish(self, timeout: float) -> int:
        """Wait for what is under way, `timeout` seconds at most; of how many nobody knows then."""
        if self._count:
            self._publisher.flush(timeout)
        return self._count
