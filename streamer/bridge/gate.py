"""What a request goes through before it is read: its method, its token, its media type, its size."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection
from http import HTTPStatus

from starlette.types import Message, Receive, Scope

from streamer.bridge import responses

_BODY_TIMEOUT = 10.0
"""Seconds that a body may take to arrive once its headers are there."""
_DIGITS = 15
"""Digits of a Content-Length that are read; more are too large anyhow."""


class Refused(Exception):
    """Answered before the request reaches the core."""

    def __init__(self, response: responses.Response) -> None:
        super().__init__(response.status)
        self.response = response


class Gone(Exception):
    """The client left before its body was complete."""


class Gate:
    """`token` is expected in X-Webhook-Token; empty: none is."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def admitted(self, scope: Scope, methods: Collection[str]) -> dict[bytes, bytes]:
        """The headers. Errors: Refused with 405 or 401."""
        if scope["method"] not in methods:
            allow = [(b"allow", ", ".join(methods).encode())]
            detail = f"only {' and '.join(methods)} is answered here"
            raise Refused(responses.problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, extra=allow))
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._token and not hmac.compare_digest(headers.get(b"x-webhook-token", b""), self._token):
            detail = "X-Webhook-Token is missing or wrong; send the token this bridge was configured with"
            raise Refused(responses.problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail))
        return headers


class Bodies:
    """Reads the bodies of one route: their media types, and the bytes they may have by the key `setting`."""

    def __init__(self, kinds: tuple[bytes, ...], limit: int, setting: str) -> None:
        self._kinds, self._limit, self._setting = kinds, limit, setting

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Errors: Refused with 408, 413 or 415; Gone."""
        self._check(headers)
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:_DIGITS]) > self._limit:
            raise self._too_large()
        try:
            async with asyncio.timeout(_BODY_TIMEOUT):
                message = await _next(receive)
                body: bytes = message.get("body", b"")
                if message.get("more_body"):
                    body = await self._rest_of(body, receive)
        except TimeoutError as error:
            detail = f"the body was not complete within {_BODY_TIMEOUT:g} s; send it in one go"
            status = HTTPStatus.REQUEST_TIMEOUT
            raise Refused(responses.problem(status, "body_timeout", detail, extra=[responses.CLOSE])) from error
        if len(body) > self._limit:
            raise self._too_large()
        return body

    def _check(self, headers: dict[bytes, bytes]) -> None:
        kind = headers.get(b"content-type", b"")
        if kind not in self._kinds and kind.partition(b";")[0].strip().lower() not in self._kinds:
            raise _unsupported(f"send the body with Content-Type: {b' or '.join(self._kinds).decode()}")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise _unsupported("send the body uncompressed, without Content-Encoding")

    async def _rest_of(self, first: bytes, receive: Receive) -> bytes:
        parts, size, more = [first], len(first), True
        while more and size <= self._limit:
            message = await _next(receive)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> Refused:
        return Refused(responses.too_large(f"the body exceeds {self._limit} bytes ({self._setting}); shorten it"))


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message


def _unsupported(detail: str) -> Refused:
    return Refused(responses.problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
