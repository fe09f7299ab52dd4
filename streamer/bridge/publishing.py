"""The publisher on an event loop, which polls it itself while something is pending.

A thread of its own would contend with the loop for the interpreter at every acknowledgement: measured, that cost more
than all these polls.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from streamer.errors import BrokerError, FatalClient
from streamer.kafka.base import Message, Publisher

Published = Callable[[Exception | None], None]
"""Called on the loop: None when all in-sync replicas have the message, else why not."""

_BUSY = 0.001
"""Seconds between polls while something is pending: the most that they add to an answer."""
_IDLE = 0.1
"""While nothing is: the client also tells in a poll that it broke."""


class Publishing:
    """Made and used on the loop. `broken` is done, with the reason, once the client is unusable."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[Exception] = self._loop.create_future()
        self._pending = 0
        self._closing = False
        self._timer = self._loop.call_later(_IDLE, self._poll)

    def publish(self, message: Message, published: Published) -> None:
        """Errors: those of Publisher.publish; then `published` is not called."""
        try:
            self._publisher.publish(message, partial(self._delivered, published))
        except FatalClient as error:
            self._break(error)
            raise
        self._pending += 1
        if self._pending == 1:
            self._timer.cancel()
            self._timer = self._loop.call_later(_BUSY, self._poll)

    async def close(self, timeout: float) -> int:
        """Wait up to `timeout` seconds for what is pending; how many messages remained, -1 where nobody knows."""
        self._closing = True
        self._timer.cancel()
        left: list[int] = []
        # A thread of its own, for flushing waits; the loop's pool would be joined, without bound, at the end.
        finish = threading.Thread(target=self._finish, args=(timeout, left), name="flush", daemon=True)
        finish.start()
        deadline = self._loop.time() + timeout + 2 * _IDLE
        while finish.is_alive() and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        return left[0] if left else -1

    def _finish(self, timeout: float, left: list[int]) -> None:
        left.append(self._publisher.flush(timeout))
        self._publisher.close()

    def _poll(self) -> None:
        try:
            self._publisher.poll(0)
        except BrokerError as error:
            self._break(error)
        finally:
            if not self.broken.done():
                self._timer = self._loop.call_later(_BUSY if self._pending else _IDLE, self._poll)

    def _break(self, error: Exception) -> None:
        if not self.broken.done():
            self.broken.set_result(error)

    def _delivered(self, published: Published, error: Exception | None) -> None:
        self._pending -= 1
        if not self._closing:
            published(error)
            return
        with suppress(RuntimeError):  # from the flushing thread; where the loop is closed nobody waits any longer
            self._loop.call_soon_threadsafe(published, error)
