"""The routes. The webhook is plain ASGI, the rest Starlette's."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from http import HTTPStatus

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from streamer.bridge import responses
from streamer.bridge.core import Bridge
from streamer.bridge.probes import Probe
from streamer.observe.logs import Log
from streamer.observe.metrics import Metrics
from streamer.validation import InvalidRequest, from_json

WEBHOOK = "/webhook/tts"
_SOURCE = "webhook"
"""The source of requests that name none."""
_BODY_TIMEOUT = 10.0
"""Seconds that a body may take to arrive once its headers are there."""
_DIGITS = 15
"""Digits of a Content-Length that are read; more are too large anyhow."""
_KIND = b"application/json"


class _Refused(Exception):
    """Answered before the request reaches the core."""

    def __init__(self, response: responses.Response) -> None:
        super().__init__(response.status)
        self.response = response


class _Gone(Exception):
    """The client left before its body was complete."""


class App:
    """ASGI. `draining` makes `/readyz` say that no more requests should come here."""

    def __init__(
        self, bridge: Bridge, probes: Sequence[Probe], *, token: str, max_body: int, metrics: Metrics, log: Log
    ) -> None:
        self.draining = False
        self._bridge, self._probes = bridge, probes
        self._token, self._max_body = token.encode(), max_body
        self._metrics, self._log = metrics, log
        self._loop = asyncio.get_running_loop()
        self._outcomes = {
            outcome: metrics.bridge_requests.labels(outcome)
            for outcome in ("accepted", "skipped", "conflict", "refused", "unknown", "error")
        }
        self._rest = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._exposition),
            ],
            exception_handlers={HTTPException: _problem, Exception: _fault},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        if scope["path"] == WEBHOOK:
            await self._webhook(scope, receive, send)
            return
        try:
            await self._rest(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - Starlette has answered 500 and raises it again to be logged
            self._log.error("route failed", path=scope["path"], exc_info=error)

    async def _webhook(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except _Refused as refused:
            response = refused.response
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - the one place where a fault of ours becomes an answer
            self._log.error("webhook failed", exc_info=error)
            detail = "the bridge failed; the request may be taken or not; send it again with the same id"
            response = responses.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, outcome="error")
        self._outcomes[response.outcome].inc()
        start: Message = {"type": "http.response.start", "status": response.status, "headers": response.headers}
        await send(start)
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, scope: Scope, receive: Receive) -> responses.Response:
        if scope["method"] != "POST":
            allow = [(b"allow", b"POST")]
            detail = "only POST is answered here"
            raise _Refused(responses.problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, extra=allow))
        headers = dict(scope["headers"])
        self._check(headers)
        body = await self._body(headers, receive)
        started = self._loop.time()
        try:
            request = from_json(body, _SOURCE)
        except InvalidRequest as error:
            raise _Refused(
                responses.problem(HTTPStatus.BAD_REQUEST, "malformed_request", error.message, error.problems)
            ) from error
        answer = await self._bridge.take(request, headers.get(b"traceparent", b"").decode("latin-1"))
        self._metrics.bridge_request_seconds.observe(self._loop.time() - started)
        return responses.of(answer)

    def _check(self, headers: dict[bytes, bytes]) -> None:
        if self._token and not hmac.compare_digest(headers.get(b"x-webhook-token", b""), self._token):
            detail = "X-Webhook-Token is missing or wrong; send the token this bridge was configured with"
            raise _Refused(responses.problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail))
        kind = headers.get(b"content-type", b"")
        if kind != _KIND and kind.partition(b";")[0].strip().lower() != _KIND:
            detail = "send the request as JSON, with Content-Type: application/json"
            raise _Refused(responses.problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
        if headers.get(b"content-encoding", b"identity") != b"identity":
            detail = "send the body uncompressed, without Content-Encoding"
            raise _Refused(responses.problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:_DIGITS]) > self._max_body:
            raise self._too_large()
        try:
            async with asyncio.timeout(_BODY_TIMEOUT):
                message = await self._next(receive)
                body: bytes = message.get("body", b"")
                if message.get("more_body"):
                    body = await self._rest_of(body, receive)
        except TimeoutError as error:
            detail = f"the body was not complete within {_BODY_TIMEOUT:g} s; send it in one go"
            close = [(b"connection", b"close")]
            status = HTTPStatus.REQUEST_TIMEOUT
            raise _Refused(responses.problem(status, "body_timeout", detail, extra=close)) from error
        if len(body) > self._max_body:
            raise self._too_large()
        return body

    async def _rest_of(self, first: bytes, receive: Receive) -> bytes:
        parts, size, more = [first], len(first), True
        while more and size <= self._max_body:
            message = await self._next(receive)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
        return b"".join(parts)

    async def _next(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        return message

    def _too_large(self) -> _Refused:
        return _Refused(responses.too_large(f"the body exceeds {self._max_body} bytes (bridge.max_body); shorten it"))

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _readyz(self, _: Request) -> Response:
        state = {probe.name: probe.problem or "ok" for probe in self._probes}
        ready = not self.draining and all(problem == "ok" for problem in state.values())
        status = "draining" if self.draining else "ready" if ready else "not ready"
        return JSONResponse({"status": status, **state}, status_code=200 if ready else 503)

    async def _exposition(self, _: Request) -> Response:
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _problem(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in the form of all others."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    detail = f"served are POST {WEBHOOK} and GET /healthz, /readyz, /metrics"
    made = responses.problem(status, status.name.lower(), detail)
    headers = {**dict(error.headers or {}), "content-type": "application/problem+json"}
    return Response(made.body, made.status, headers)


async def _fault(_: Request, __: Exception) -> Response:
    detail = "the bridge failed; its log says why"
    made = responses.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)
    return Response(made.body, made.status, media_type="application/problem+json")
