"""POST /webhook/tts/batch: a request a line, an answer a line, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http import HTTPStatus

import msgspec
from starlette.types import Receive, Scope

from streamer.bodies import SOURCE, from_json
from streamer.bridge import responses
from streamer.bridge.core import Bridge, Conflict, Invalid, Limited
from streamer.bridge.documents import LineBody
from streamer.bridge.gate import Bodies, Gate, Refused
from streamer.bridge.webhook import METHODS, malformed
from streamer.identity import Identity, fingerprint
from streamer.observe.metrics import Metrics
from streamer.records import SpeechRequest
from streamer.validation import InvalidRequest, problems

KINDS = (b"application/x-ndjson", b"application/jsonl")
MAX_LINES = 10_000
"""Lines of one batch, the empty ones too: answers are longer than lines."""
_AT_ONCE = 2_000
"""Lines on their way to Kafka at a time. With MAX_LINES it bounds a batch to five times bridge.ack_timeout."""
_UNDER_WAY = 16
"""Batches read and published at a time; one of 10 MB takes some 40."""
_BREATH = 100
"""Lines read, and lines published, without letting others have the loop."""

_encode = msgspec.json.Encoder().encode


class Batch:
    """Lines fail and succeed by themselves. Of two lines with one id the second gets the answer of the first; where
    it asks for something else it conflicts."""

    def __init__(self, bridge: Bridge, gate: Gate, *, max_batch: int, max_body: int, metrics: Metrics) -> None:
        self._bridge, self._gate, self._max_body = bridge, gate, max_body
        self._bodies = Bodies(KINDS, max_batch, "bridge.max_batch")
        self._outcomes = metrics.bridge_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive) -> responses.Response:
        headers = self._gate.admitted(scope, METHODS)
        if self._under_way >= _UNDER_WAY:
            raise Refused(responses.of(Limited(f"{_UNDER_WAY} batches are under way", 1)))
        self._under_way += 1
        try:
            return await self._answered(headers, receive)
        finally:
            self._under_way -= 1

    async def _answered(self, headers: dict[bytes, bytes], receive: Receive) -> responses.Response:
        body = await self._bodies.read(headers, receive)
        if body.count(b"\n") + (not body.endswith(b"\n")) > MAX_LINES:
            detail = f"a batch has at most {MAX_LINES} lines; nothing was published; send it in parts"
            raise Refused(responses.too_large(detail))
        trace = headers.get(b"traceparent", b"").decode("latin-1")
        answers = await self._answers(body, trace)
        for _, answer in answers:
            self._outcomes.labels(answer.outcome).inc()
        status = HTTPStatus.OK if all(answer.status < 300 for _, answer in answers) else HTTPStatus.MULTI_STATUS
        lines = [_encode(LineBody(line, each.status, msgspec.Raw(each.body))) + b"\n" for line, each in answers]
        return responses.framed(status, b"".join(lines), KINDS[0])

    async def _answers(self, body: bytes, trace: str) -> list[tuple[int, responses.Response]]:
        answers: dict[int, responses.Response] = {}
        requests: dict[int, SpeechRequest] = {}
        first: dict[Identity, int] = {}
        again: dict[int, int] = {}
        for count, (line, data) in enumerate(_lines(body)):
            if count % _BREATH == 0:
                await asyncio.sleep(0)
            request = self._read(data)
            if isinstance(request, responses.Response):
                answers[line] = request
            elif request.id and (earlier := first.setdefault(Identity(request.source, request.id), line)) != line:
                again[line] = earlier
                if fingerprint(request) != fingerprint(requests[earlier]):
                    answers[line] = responses.of(Conflict(request.id))
            else:
                requests[line] = request
        await self._publish(requests, trace, answers)
        for line, earlier in again.items():
            answers.setdefault(line, answers[earlier])
        return sorted(answers.items(), key=lambda pair: pair[0])

    async def _publish(
        self, requests: dict[int, SpeechRequest], trace: str, answers: dict[int, responses.Response]
    ) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def take(line: int, request: SpeechRequest) -> None:
            answers[line] = responses.of(await self._bridge.take(request, trace))
            room.release()

        async with asyncio.TaskGroup() as group:
            for count, (line, request) in enumerate(requests.items()):
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
                await room.acquire()
                group.create_task(take(line, request))

    def _read(self, data: bytes) -> SpeechRequest | responses.Response:
        if len(data) > self._max_body:
            return responses.too_large(f"the line exceeds {self._max_body} bytes (bridge.max_body); shorten it")
        try:
            request = from_json(data, SOURCE)
        except InvalidRequest as error:
            return malformed(error)
        # Judged here already, so that a bad line does not claim its id before a good one.
        found = problems(request)
        return responses.of(Invalid(tuple(found))) if found else request


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Those that hold something, numbered from 1."""
    start, number = 0, 0
    while start < len(body):
        number += 1
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        line = body[start:end]
        if line.strip():
            yield number, line
        start = end + 1
