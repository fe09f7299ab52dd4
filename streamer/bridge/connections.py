"""A connection until the head of its request is there: how large that may be, and how long it may take.

The server's own knows no such limits, and no token stands in anybody's way before the headers are read.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streamer.bridge import responses

_MAX_HEAD = 65_536
"""Bytes of request line and headers; what came with the first of them, one read of the socket, is not counted."""
HEAD_TIMEOUT = 10.0
"""Seconds from the connection, or from the first byte of a further request, until the headers are complete."""


class Connection(HttpToolsProtocol):
    """Refuses in the form of all other refusals, then closes."""

    _head = -1
    """Bytes of the head under way, less those that came with its first; -1 while there is none."""
    _begun = False
    """Whether it began with the bytes just parsed."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head_came()

    def data_received(self, data: bytes) -> None:
        self._begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head >= 0 and not self._begun:
            self._head += len(data)
        if self._head > _MAX_HEAD:
            detail = f"request line and headers exceed {_MAX_HEAD} bytes; shorten them"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", detail)
        elif self._head >= 0 or self._idle:
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._begun = 0, True

    def on_headers_complete(self) -> None:
        self._head = -1
        self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What the server answers to what is no HTTP."""
        detail = "this is no HTTP/1.1 request, or its headers contradict each other; correct the client"
        self._refuse(HTTPStatus.BAD_REQUEST, "malformed_http", detail)

    def _unsupported_upgrade_warning(self) -> None:
        """No line in the log: an upgrade is an offer, which may be passed over (RFC 9110, 7.8)."""

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_TIMEOUT, self._late)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._idle:  # what was asked before is answered first
            self._await_head()
        elif self._head >= 0:
            detail = f"the headers were not complete within {HEAD_TIMEOUT:g} s; send them in one go"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "head_timeout", detail)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        answer = responses.problem(status, code, detail, extra=[responses.CLOSE])
        headers = b"".join(name + b": " + value + b"\r\n" for name, value in answer.headers)
        self.transport.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + headers + b"\r\n" + answer.body)
        self.transport.close()
