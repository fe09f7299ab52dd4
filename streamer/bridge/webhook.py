"""POST /webhook/tts and POST /webhook/events/{source}: one request, one answer."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.types import Receive, Scope

from streamer.bodies import SOURCE, event_from_json, from_json
from streamer.bridge import paths, responses
from streamer.bridge.core import Bridge
from streamer.bridge.gate import Bodies, Gate, Refused
from streamer.observe.metrics import Metrics
from streamer.records import SpeechRequest
from streamer.validation import InvalidRequest, Problem

METHODS = ("POST",)


def malformed(error: InvalidRequest) -> responses.Response:
    return responses.problem(HTTPStatus.BAD_REQUEST, "malformed_request", error.message, error.problems)


class Webhook:
    """A request, its id answered once Kafka has it."""

    def __init__(self, bridge: Bridge, gate: Gate, max_body: int, metrics: Metrics) -> None:
        self._bridge, self._gate, self._seconds = bridge, gate, metrics.bridge_request_seconds
        self._bodies = Bodies((responses.JSON,), max_body, "bridge.max_body")
        self._loop = asyncio.get_running_loop()

    async def __call__(self, scope: Scope, receive: Receive) -> responses.Response:
        headers = self._gate.admitted(scope, METHODS)
        body = await self._bodies.read(headers, receive)
        started = self._loop.time()
        try:
            request = self._read(scope, body)
        except InvalidRequest as error:
            return malformed(error)
        answer = await self._bridge.take(request, headers.get(b"traceparent", b"").decode("latin-1"))
        self._seconds.observe(self._loop.time() - started)
        return responses.of(answer)

    def _read(self, scope: Scope, body: bytes) -> SpeechRequest:
        return from_json(body, SOURCE)


class Events(Webhook):
    """An event of the source in the path. Its type may be unknown here: the worker has the templates."""

    def _read(self, scope: Scope, body: bytes) -> SpeechRequest:
        try:
            source = paths.decoded(scope["raw_path"][len(paths.EVENTS) :])
        except paths.BadPath as error:
            problem = Problem("source", str(error))
            raise Refused(
                responses.problem(HTTPStatus.BAD_REQUEST, "malformed_request", f"source: {error}", [problem])
            ) from error
        return event_from_json(body, source)
