"""An object sent in parts: each is read off the loop, and only once the one before it is on its way."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TypeVar

from starlette.types import Receive, Send

from streamer.bridge.ranges import Range
from streamer.bridge.responses import Response
from streamer.bridge.threads import Threads
from streamer.errors import StoreUnavailable
from streamer.store.base import Store

T = TypeVar("T")

PART = 256 * 1024
"""Bytes read and sent at a time: what a download holds in memory."""
_READ_TIMEOUT = 10.0
"""Seconds that the store may take for a part."""
_SEND_TIMEOUT = 30.0
"""Seconds that a client may take for a part before it is cut off; it may come back with a Range."""


class Source:
    """One object of a store. Errors of every call: those of the store, StoreUnavailable also for one that hangs."""

    def __init__(self, store: Store, threads: Threads, key: str) -> None:
        self.key = key
        self._store, self._threads = store, threads

    async def found(self, *, linked: bool) -> str | int | None:
        """With `linked` the store's link to it, where it has one; else its size in bytes, None where there is none."""
        return await self._call(partial(_found, self._store, self.key, linked))

    async def part(self, start: int, stop: int) -> bytes:
        """Bytes from `start`, up to `stop` or as many as are sent at a time."""
        stop = min(start + PART, stop)
        data = await self._call(partial(self._store.read, self.key, start, stop))
        if len(data) != stop - start:
            raise StoreUnavailable(f"{self.key}: {len(data)} bytes from {start} instead of {stop - start}")
        return data

    async def _call(self, call: partial[T]) -> T:
        try:
            return await self._threads.run(call, _READ_TIMEOUT)
        except TimeoutError as error:
            raise StoreUnavailable(f"it did not answer within {_READ_TIMEOUT:g} s") from error


class Download:
    """An answer whose body comes from `source`; `first` is its first part, so that it is known to be readable."""

    def __init__(self, response: Response, source: Source, range: Range, first: bytes) -> None:
        self.response = response
        self._source, self._range, self._first = source, range, first

    async def send(self, receive: Receive, send: Send) -> None:
        """Returns early once the client is gone.

        Errors: those of the store, and TimeoutError for a client that takes nothing. The connection must then be cut:
        a body that ended early would look whole.
        """
        await send({"type": "http.response.start", "status": self.response.status, "headers": self.response.headers})
        gone = asyncio.ensure_future(_gone(receive))
        position, data = self._range.start, self._first
        try:
            while not gone.done():
                position += len(data)
                more = position < self._range.stop
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await send({"type": "http.response.body", "body": data, "more_body": more})
                if not more:
                    return
                data = await self._source.part(position, self._range.stop)
        finally:
            gone.cancel()


def _found(store: Store, key: str, linked: bool) -> str | int | None:
    return (store.link(key) if linked else None) or store.size(key)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
