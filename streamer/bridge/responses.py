"""Answers as HTTP: JSON bodies, and problems as RFC 9457 describes them."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from streamer.bridge.core import Accepted, Answer, Conflict, Invalid, Skipped, TooLarge, Unknown
from streamer.validation import Problem

Headers = list[tuple[bytes, bytes]]


class Response(msgspec.Struct, frozen=True):
    """What goes out, and under which outcome it is counted."""

    status: int
    body: bytes
    headers: Headers
    outcome: str


_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", b"application/problem+json")
_encode = msgspec.json.Encoder().encode


def of(answer: Answer) -> Response:
    match answer:
        case Accepted(task_id):
            return _json(HTTPStatus.ACCEPTED, {"status": "accepted", "task_id": task_id}, "accepted")
        case Skipped(task_id, state, audio):
            body = {"status": "skipped", "reason": "already exists"}
            return _json(HTTPStatus.OK, {**body, "task_id": task_id, "state": state, "audio": audio}, "skipped")
        case Conflict(task_id):
            detail = "this id of this source was used for another request; send this one under an id of its own"
            return problem(HTTPStatus.CONFLICT, "id_conflict", detail, outcome="conflict", task_id=task_id)
        case Unknown(task_id, reason):
            detail = f"unknown whether the request was taken: {reason}; send it again with the id in task_id"
            extra = [(b"retry-after", b"1")]
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return problem(status, "unknown", detail, extra=extra, outcome="unknown", task_id=task_id)
        case Invalid(problems):
            detail = "; ".join(f"{field}: {message}" for field, message in problems)
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, problems)
        case TooLarge(size, limit):
            return too_large(f"the request makes a record of {size} bytes; Kafka takes {limit}; send a shorter one")


def too_large(detail: str) -> Response:
    # The rest of the body is not read: the connection cannot be used again.
    close = [(b"connection", b"close")]
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, extra=close)


def problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    errors: Iterable[Problem] = (),
    *,
    extra: Iterable[tuple[bytes, bytes]] = (),
    outcome: str = "refused",
    **members: Any,
) -> Response:
    """`code` is for programs, `detail` for people; `errors` field by field; `members` are added to the body."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "errors": [{"field": field, "message": message} for field, message in errors],
        **members,
    }
    return _framed(status, body, _PROBLEM, extra, outcome)


def _json(status: HTTPStatus, body: object, outcome: str) -> Response:
    return _framed(status, body, _JSON, (), outcome)


def _framed(
    status: HTTPStatus,
    body: object,
    kind: tuple[bytes, bytes],
    extra: Iterable[tuple[bytes, bytes]],
    outcome: str,
) -> Response:
    data = _encode(body)
    return Response(status.value, data, [kind, (b"content-length", str(len(data)).encode()), *extra], outcome)
