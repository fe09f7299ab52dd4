"""An HTTP proxy that spoils what passes it: between a store and its server, with a chance of its own for each fault.

It knows as much of HTTP as it needs: a request is a head and Content-Length bytes, an answer lasts until its end.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Final

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_MOST = 1 << 20


class Fault(StrEnum):
    NONE = "none"
    SLOW = "slow"
    HANG = "hang"
    """Nothing is forwarded, nothing answered."""
    LATE = "late"
    """Forwarded when the client has given up."""
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    """Forwarded; the connection is cut instead of an answer."""
    ERROR_AFTER = "500 after"
    """Forwarded; whatever the answer was, the client hears 500."""
    SLOW_DOWN = "503"
    TRUNCATED = "truncated"
    """Forwarded; the answer ends in its middle."""
    FORBIDDEN = "403"
    """No trouble that passes: a right that is missing."""


Choose = Callable[[str, str], Fault]
"""(method, target) → what happens to this request."""


class FaultProxy:
    """A context manager: listens on `port` of 127.0.0.1 and forwards to `upstream` there. `counts`: by fault."""

    def __init__(self, upstream: int, choose: Choose, *, give_up: float) -> None:
        """`give_up`: seconds after which the client no longer waits."""
        self.choose = choose
        self.counts: Counter[Fault] = Counter()
        self.port = 0
        self._upstream, self._give_up = upstream, give_up
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = server.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                head = await client.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await client.readexactly(int(length[1])) if length else b""
                method, target = head.split(b" ", 2)[:2]
                fault = self.choose(method.decode(), target.decode())
                self.counts[fault] += 1
                await self._pass(fault, head, body, back)
        finally:
            back.close()

    async def _pass(self, fault: Fault, head: bytes, body: bytes, back: asyncio.StreamWriter) -> None:
        if fault is Fault.CUT_BEFORE:
            return
        if fault is Fault.SLOW_DOWN:
            await _send(back, _error(503, "SlowDown"))
            return
        if fault is Fault.FORBIDDEN:
            await _send(back, _error(403, "AccessDenied"))
            return
        if fault is Fault.HANG:
            await asyncio.sleep(2 * self._give_up)
            return
        if fault is Fault.SLOW:
            await asyncio.sleep(self._give_up / 10)
        elif fault is Fault.LATE:
            await asyncio.sleep(1.2 * self._give_up)
        answer = await self._forwarded(head, body)
        if fault is Fault.CUT_AFTER:
            return
        if fault is Fault.ERROR_AFTER:
            answer = _error(500, "InternalError")
        elif fault is Fault.TRUNCATED:
            answer = answer[: -max(1, len(answer.partition(b"\r\n\r\n")[2]) // 2)]
        await _send(back, answer)

    async def _forwarded(self, head: bytes, body: bytes) -> bytes:
        """The whole answer. A connection for each request, so that it ends with the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream, limit=_MOST)
        try:
            await _send(writer, head[:-2] + b"Connection: close\r\n\r\n" + body)
            return await reader.read(-1)
        finally:
            writer.close()


def chosen(chance: random.Random, shares: Mapping[Fault, float]) -> Choose:
    """Faults at random: `shares` of all requests each, the rest passes."""
    faults, weights = [*shares, Fault.NONE], [*shares.values(), 1 - sum(shares.values())]
    return lambda method, target: chance.choices(faults, weights)[0]


def clear(method: str, target: str) -> Fault:
    """No fault at all."""
    return Fault.NONE


def _error(status: int, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>by the fault proxy</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


ALL: Final[Sequence[Fault]] = [fault for fault in Fault if fault not in (Fault.NONE, Fault.FORBIDDEN)]
