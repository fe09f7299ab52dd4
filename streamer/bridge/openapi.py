"""`/openapi.json`: what this bridge answers, made of the structs that are read and written and of its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from streamer import __version__
from streamer.bodies import RequestBody, SourceEventBody
from streamer.bridge import batch, documents, paths
from streamer.bridge.documents import AcceptedBody, HealthBody, LineBody, ProblemBody, ReadyBody, SkippedBody
from streamer.formats import FORMATS
from streamer.settings import Bridge as BridgeSettings

_JSON, _PROBLEM, _LINES, _TEXT = "application/json", "application/problem+json", "application/x-ndjson", "text/plain"
_STRUCTS = (
    RequestBody,
    SourceEventBody,
    AcceptedBody,
    SkippedBody,
    ProblemBody,
    LineBody,
    documents.JobAccepted,
    documents.JobCompleted,
    documents.JobFailed,
    HealthBody,
    ReadyBody,
)
_REF = "#/components/schemas/{name}"


class Operation(NamedTuple):
    """One method of one path. `answers`: status → (media type, schema); None where there is no body."""

    summary: str
    answers: Mapping[int, tuple[str, Any] | None]
    body: tuple[tuple[str, ...], type] | None = None
    parameters: tuple[str, ...] = ()
    guarded: bool = True


def _ref(struct: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=struct.__name__)}


def _given(field: str) -> dict[str, Any]:
    return {"required": [field], "properties": {field: {"not": {"type": "null"}}}}


def _problems(*statuses: int) -> dict[int, tuple[str, Any]]:
    return {status: (_PROBLEM, _ref(ProblemBody)) for status in (*statuses, 405, 500)}


_POSTED = _problems(400, 401, 408, 409, 413, 415, 422, 429, 503)
_TAKEN = {202: (_JSON, _ref(AcceptedBody)), 200: (_JSON, _ref(SkippedBody)), **_POSTED}
_LINE_BY_LINE = (_LINES, _ref(LineBody))
_JOB = {"oneOf": [_ref(documents.JobAccepted), _ref(documents.JobCompleted), _ref(documents.JobFailed)]}
_BYTES = ("audio/*", {"type": "string", "format": "binary"})
_PLAIN = (_TEXT, {"type": "string"})

_JOB_READ = Operation(
    "What became of a request, by its verdict",
    {200: (_JSON, _JOB), **_problems(400, 401, 404, 503)},
    parameters=("id", "source"),
)
_AUDIO_READ = Operation(
    "The audio: here with Range and If-None-Match, or at the store that 307 names",
    {200: _BYTES, 206: _BYTES, 304: None, 307: None, **_problems(400, 401, 404, 409, 410, 416, 503)},
    parameters=("id", "source", "download"),
)
_HEALTH = Operation("Whether the process answers", {200: (_JSON, _ref(HealthBody)), **_problems()}, guarded=False)
_READY = Operation(
    "Whether requests should come here",
    {200: (_JSON, _ref(ReadyBody)), 503: (_JSON, _ref(ReadyBody)), **_problems()},
    guarded=False,
)
_DOCUMENT = Operation("This document", {200: (_JSON, {"type": "object"}), **_problems()}, guarded=False)
_METRICS = Operation("For Prometheus", {200: _PLAIN, **_problems()}, guarded=False)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    (paths.WEBHOOK, "post"): Operation(
        "Take one request: 202 once all in-sync replicas have it", _TAKEN, ((_JSON,), RequestBody)
    ),
    (paths.BATCH, "post"): Operation(
        f"Take up to {batch.MAX_LINES} requests, one a line; an answer a line, in order. 200 where all lines were "
        "taken or skipped, else 207",
        {200: _LINE_BY_LINE, 207: _LINE_BY_LINE, **_problems(401, 408, 413, 415, 429)},
        (tuple(kind.decode() for kind in batch.KINDS), RequestBody),
    ),
    (paths.EVENTS + "{source}", "post"): Operation(
        "Take one event; its text is made by the worker, which is where an unknown type fails (template_error)",
        _TAKEN,
        ((_JSON,), SourceEventBody),
        ("source_in_path",),
    ),
    (paths.JOBS + "{id}", "get"): _JOB_READ,
    (paths.JOBS + "{id}", "head"): _JOB_READ,
    (paths.JOBS + "{id}/audio", "get"): _AUDIO_READ,
    (paths.JOBS + "{id}/audio", "head"): _AUDIO_READ,
    ("/openapi.json", "get"): _DOCUMENT,
    ("/healthz", "get"): _HEALTH,
    ("/readyz", "get"): _READY,
    ("/metrics", "get"): _METRICS,
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "Percent-encoded as one segment; slashes may stand as they are unless it ends in /audio.",
        "schema": {"type": "string"},
    },
    "source_in_path": {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}},
    "source": {"name": "source", "in": "query", "schema": {"type": "string", "default": "webhook"}},
    "download": {
        "name": "download",
        "in": "query",
        "description": "1: browsers save it under its name.",
        "schema": {"enum": ["0", "1"], "default": "0"},
    },
}


def document(settings: BridgeSettings) -> dict[str, Any]:
    """OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=_REF)
    # The rules (validation) say which exclude each other; that one is needed, a schema can say as well.
    schemas["RequestBody"]["anyOf"] = [_given("text"), _given("input_text"), _given("event")]
    routes: dict[str, dict[str, Any]] = {}
    for (path, method), operation in OPERATIONS.items():
        routes.setdefault(path, {})[method] = _described(path, method, operation, settings)
    return {
        "openapi": "3.1.0",
        "info": {"title": "streamer", "version": __version__, "description": _limits(settings)},
        "paths": routes,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Webhook-Token"}},
        },
        "x-limits": {
            "max_body": settings.max_body,
            "max_batch": settings.max_batch,
            "max_lines": batch.MAX_LINES,
            "max_pending": settings.max_pending,
            "rate": settings.rate,
            "ack_timeout": settings.ack_timeout,
        },
        "x-formats": {
            name: {"media_type": format.media_type, "sample_rates": format.rates_text}
            for name, format in FORMATS.items()
        },
    }


def _described(path: str, method: str, operation: Operation, settings: BridgeSettings) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": operation.summary, "operationId": _operation_id(path, method)}
    if operation.parameters:
        made["parameters"] = [_PARAMETERS[name] for name in operation.parameters]
    if operation.body is not None:
        kinds, struct = operation.body
        made["requestBody"] = {"required": True, "content": {kind: {"schema": _ref(struct)} for kind in kinds}}
    if operation.guarded and settings.token:
        made["security"] = [{"token": []}]
    made["responses"] = {str(status): _response(status, answer) for status, answer in operation.answers.items()}
    if method == "head":
        for answer in made["responses"].values():
            answer.pop("content", None)
    return made


def _response(status: int, answer: tuple[str, Any] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if answer is not None:
        kind, schema = answer
        described["content"] = {kind: {"schema": schema}}
    return described


def _operation_id(path: str, method: str) -> str:
    return "_".join([method, *re.findall(r"\w+", path)])


def _limits(settings: BridgeSettings) -> str:
    rate = f"{settings.rate} of each source" if settings.rate else "any number"
    return (
        f"A body has up to {settings.max_body} bytes, a batch {settings.max_batch} bytes and {batch.MAX_LINES} lines. "
        f"Requests taken: {rate}; {settings.max_pending} ids on their way at once. 503 with code unknown comes within "
        f"{settings.ack_timeout:g} s and means that the request may be taken or not: sending it again with its id is "
        "safe. Errors are RFC 9457 problem documents."
    )
