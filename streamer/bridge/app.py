"""The routes. What takes requests and hands out jobs is plain ASGI, the rest Starlette's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from streamer.bridge import openapi, paths, responses
from streamer.bridge.audio import AudioFiles
from streamer.bridge.batch import Batch
from streamer.bridge.core import Bridge
from streamer.bridge.documents import HealthBody
from streamer.bridge.downloads import Download
from streamer.bridge.gate import Gate, Gone, Refused
from streamer.bridge.jobs import Jobs
from streamer.bridge.lookups import Lookups
from streamer.bridge.probes import Probe
from streamer.bridge.threads import Threads
from streamer.bridge.webhook import Events, Webhook
from streamer.errors import StoreError
from streamer.observe.logs import Log
from streamer.observe.metrics import Metrics
from streamer.settings import Bridge as BridgeSettings
from streamer.store.base import Store

Handler = Callable[[Scope, Receive], Awaitable[responses.Response | Download]]

_OUTCOMES = ("accepted", "skipped", "conflict", "limited", "refused", "unknown", "error")


class App:
    """ASGI. `draining` makes `/readyz` say that no more requests should come here."""

    def __init__(
        self,
        bridge: Bridge,
        lookups: Lookups,
        threads: Threads,
        store: Store,
        probes: Sequence[Probe],
        settings: BridgeSettings,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self.draining = False
        self._probes, self._metrics, self._log = probes, metrics, log
        self._outcomes = {outcome: metrics.bridge_requests.labels(outcome) for outcome in _OUTCOMES}
        self._document = msgspec.json.encode(openapi.document(settings))
        gate = Gate(settings.token)
        jobs = Jobs(bridge, lookups, gate, settings.ack_timeout)
        self._webhook: Handler = Webhook(bridge, gate, settings.max_body, metrics)
        self._events: Handler = Events(bridge, gate, settings.max_body, metrics)
        self._batch: Handler = Batch(
            bridge, gate, max_batch=settings.max_batch, max_body=settings.max_body, metrics=metrics
        )
        self._jobs: Handler = jobs
        self._audio: Handler = AudioFiles(bridge, jobs, store, threads, gate)
        self._rest = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._exposition),
                Route("/openapi.json", self._openapi),
            ],
            exception_handlers={HTTPException: _problem, Exception: _fault},
        )
        self._rest.router.redirect_slashes = False  # another path is another thing: 404

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        handler = self._webhook if scope["path"] == paths.WEBHOOK else self._other(scope)
        if handler is not None:
            await self._answer(handler, scope, receive, send)
            return
        try:
            await self._rest(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - Starlette has answered 500 and raises it again to be logged
            self._log.error("route failed", path=scope["path"], exc_info=error)

    def _other(self, scope: Scope) -> Handler | None:
        path: str = scope["path"]
        if path == paths.BATCH:
            return self._batch
        raw = scope["raw_path"].decode("latin-1")
        if raw.startswith(paths.EVENTS):
            return self._events
        if raw.startswith(paths.JOBS):
            return self._audio if paths.job(scope["raw_path"][len(paths.JOBS) :])[1] else self._jobs
        return None

    async def _answer(self, handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await handler(scope, receive)
        except Refused as refused:
            response = refused.response
        except Gone:
            return
        except Exception as error:  # noqa: BLE001 - the one place where a fault of ours becomes an answer
            self._log.error("request failed", path=scope["path"], exc_info=error)
            detail = "the bridge failed; a request may be taken or not; send it again with the same id"
            response = responses.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, outcome="error")
        if isinstance(response, Download):
            await self._send(response, scope, receive, send)
            return
        if response.outcome:
            self._outcomes[response.outcome].inc()
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})

    async def _send(self, download: Download, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await download.send(receive, send)
        except (StoreError, TimeoutError) as error:
            # Left unfinished: the server cuts the connection, and the client sees that something is missing.
            self._log.warning("download cut", path=scope["path"], reason=str(error) or "the client takes nothing")

    async def _healthz(self, _: Request) -> Response:
        return Response(msgspec.json.encode(HealthBody()), media_type="application/json")

    async def _readyz(self, _: Request) -> Response:
        state = {probe.name: probe.problem or "ok" for probe in self._probes}
        ready = not self.draining and all(problem == "ok" for problem in state.values())
        status = "draining" if self.draining else "ready" if ready else "not ready"
        return JSONResponse({"status": status, **state}, status_code=200 if ready else 503)

    async def _exposition(self, _: Request) -> Response:
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _openapi(self, _: Request) -> Response:
        return Response(self._document, media_type="application/json")


async def _problem(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in the form of all others."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    made = responses.problem(status, status.name.lower(), "what is served, and how, stands in GET /openapi.json")
    headers = {**dict(error.headers or {}), "content-type": "application/problem+json"}
    return Response(made.body, made.status, headers)


async def _fault(_: Request, __: Exception) -> Response:
    detail = "the bridge failed; its log says why"
    made = responses.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)
    return Response(made.body, made.status, media_type="application/problem+json")
