from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from streamer.bridge import connections
from streamer.bridge.connections import Connection

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
Scenario = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(app: Any = echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, http=Connection, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Connection(config, ServerState(), {}), "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        try:
            yield reader, writer
        finally:
            writer.close()


def played(scenario: Scenario, app: Any = echo) -> None:
    async def play() -> None:
        async with asyncio.timeout(20), connected(app) as (reader, writer):
            await scenario(reader, writer)

    asyncio.run(play())


def refused(answer: bytes) -> tuple[int, str]:
    """Status and code of a refusal that is complete and closes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert f"content-length: {len(body)}".encode() in head
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


class Wire(asyncio.Transport):
    """Takes what is written: on a real one a refusal may be lost with the bytes that cross it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"x" * 1_024),
        (b"GET /", b"x" * 1_024),
        (b"GET / HTTP/1.1\r\n", b"X: " + b"y" * 1_019 + b"\r\n"),
    ],
)
def test_a_head_without_end_is_refused(start: bytes, more: bytes) -> None:
    async def scenario() -> None:
        config = uvicorn.Config(echo, http=Connection, lifespan="off", log_config=None)
        connection, wire = Connection(config, ServerState(), {}), Wire()
        connection.connection_made(wire)
        connection.data_received(start)
        for _ in range(64):
            connection.data_received(more)
            assert not wire.closed
        connection.data_received(more)
        assert wire.closed
        assert refused(wire.written) == (431, "head_too_large")
        connection.connection_lost(None)

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.1)

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        answer = await reader.read()
        if sent.strip():
            assert refused(answer) == (408, "head_timeout")
        else:
            assert answer == b""

    played(scenario)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"\r\n"])
def test_nor_is_a_second_one(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.1)

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"2\r\n\r\nab")
        assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")
        if not sent:  # an idle connection is kept longer
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await reader.read()
            return
        writer.write(sent)
        answer = await reader.read()
        assert refused(answer) == (408, "head_timeout") if sent.strip() else answer == b""

    played(scenario)


def test_what_was_asked_before_a_late_head_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.05)
    asked = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await asyncio.sleep(0.3)  # several times the limit
        await echo(scope, receive, send)

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"2\r\n\r\nabPOST / HT")
        await asked.wait()
        first, _, rest = (await reader.read()).partition(b"\r\n\r\n2")
        assert first.startswith(b"HTTP/1.1 200")
        assert refused(rest) == (408, "head_timeout")

    played(scenario, slow)


def test_bodies_and_pipelined_requests_count_to_no_head() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 3 * 65_536
        body = b"x" * size
        first = HEAD + f"{size}\r\n\r\n".encode() + body
        writer.write(first[:20])
        await writer.drain()
        # The end of one head and the begin of the next in one piece, again and again.
        for _ in range(4):
            writer.write(first[20:] + first[:20])
            await writer.drain()
            assert (await reader.readuntil(f"\r\n\r\n{size}".encode())).startswith(b"HTTP/1.1 200")

    played(scenario)


@pytest.mark.parametrize(
    "sent",
    [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", HEAD + b"1\r\nContent-Length: 2\r\n\r\nab", HEAD + b"-1\r\n\r\n"],
)
def test_what_is_no_http_is_refused_as_a_problem(sent: bytes) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert refused(await reader.read()) == (400, "malformed_http")

    played(scenario)


def test_an_offer_to_upgrade_is_passed_over() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")

    played(scenario)
