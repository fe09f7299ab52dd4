"""The publisher on an event loop: one thread polls it, and wakes the loop once a poll, not once a record."""

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

_POLL = 0.1


class Publishing:
    """Made and used on the loop. `broken` is done, with the reason, once the client is unusable."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[Exception] = self._loop.create_future()
        self._served: list[tuple[Published, Exception | None]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def publish(self, message: Message, published: Published) -> None:
        """Errors: those of Publisher.publish; then `published` is not called."""
        try:
            self._publisher.publish(message, partial(self._delivered, published))
        except FatalClient as error:
            self._break(error)
            raise

    async def close(self, timeout: float) -> int:
        """Wait up to `timeout` seconds for what is pending; how many messages remained."""
        self._closing.set()
        left: list[int] = []
        # A thread of its own: the loop's pool would be joined, without bound, when the process ends.
        finish = threading.Thread(target=self._finish, args=(timeout, left), name="flush", daemon=True)
        finish.start()
        deadline = self._loop.time() + timeout + 2 * _POLL
        while finish.is_alive() and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        return left[0] if left else -1

    def _finish(self, timeout: float, left: list[int]) -> None:
        self._thread.join(timeout)
        left.append(self._publisher.flush(timeout))
        self._wake()
        self._publisher.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._publisher.poll(_POLL)
            except BrokerError as error:
                self._loop.call_soon_threadsafe(self._break, error)
                return
            self._wake()

    def _break(self, error: Exception) -> None:
        if not self.broken.done():
            self.broken.set_result(error)

    def _delivered(self, published: Published, error: Exception | None) -> None:
        self._served.append((published, error))

    def _wake(self) -> None:
        if self._served:
            served, self._served = self._served, []
            with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
                self._loop.call_soon_threadsafe(_tell, served)


def _tell(served: list[tuple[Published, Exception | None]]) -> None:
    for published, error in served:
        published(error)
