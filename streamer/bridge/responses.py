"""Answers as HTTP: JSON bodies, and problems as RFC 9457 describes them."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from streamer.bridge import paths
from streamer.bridge.core import Accepted, Answer, Conflict, Invalid, Limited, Skipped, TooLarge, Unknown
from streamer.bridge.documents import AcceptedBody, FieldError, ProblemBody, SkippedBody
from streamer.validation import Problem

Header = tuple[bytes, bytes]


class Response(msgspec.Struct, frozen=True):
    """What goes out, and under which outcome it is counted; none: it is not."""

    status: int
    body: bytes
    headers: list[Header]
    outcome: str = ""


JSON = b"application/json"
PROBLEM = b"application/problem+json"
NO_STORE: Header = (b"cache-control", b"no-store")
CLOSE: Header = (b"connection", b"close")
_encode = msgspec.json.Encoder().encode


def of(answer: Answer) -> Response:
    match answer:
        case Accepted(task_id):
            return json(HTTPStatus.ACCEPTED, AcceptedBody(task_id), outcome="accepted")
        case Skipped(task_id, source, state, audio, code, message):
            link = None if audio is None else paths.audio(source, task_id)
            return json(HTTPStatus.OK, SkippedBody(task_id, state, audio, link, code, message), outcome="skipped")
        case Conflict(task_id):
            detail = "this id of this source was used for another request; send this one under an id of its own"
            return problem(HTTPStatus.CONFLICT, "id_conflict", detail, outcome="conflict", task_id=task_id)
        case Unknown(task_id, reason):
            detail = f"unknown whether the request was taken: {reason}; send it again with the id in task_id"
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return problem(status, "unknown", detail, extra=[retry_after(1)], outcome="unknown", task_id=task_id)
        case Limited(reason, seconds):
            detail = f"{reason}; nothing was published; send it again after {seconds} s"
            status = HTTPStatus.TOO_MANY_REQUESTS
            return problem(status, "too_many_requests", detail, extra=[retry_after(seconds)], outcome="limited")
        case Invalid(problems):
            detail = "; ".join(f"{field}: {message}" for field, message in problems)
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, problems)
        case TooLarge(size, limit):
            return too_large(f"the request makes a record of {size} bytes; Kafka takes {limit}; send a shorter one")


def retry_after(seconds: int) -> Header:
    return b"retry-after", str(seconds).encode()


def too_large(detail: str) -> Response:
    # The rest of the body is not read: the connection cannot be used again.
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, extra=[CLOSE])


def problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    errors: Iterable[Problem] = (),
    *,
    extra: Iterable[Header] = (),
    outcome: str = "refused",
    task_id: str | UnsetType = UNSET,
    state: Literal["unknown", "accepted", "failed"] | UnsetType = UNSET,
    failure: str | UnsetType = UNSET,
) -> Response:
    """`code` is for programs, `detail` for people; `errors` field by field; see ProblemBody for the rest."""
    body = ProblemBody(
        title=status.phrase,
        status=status.value,
        detail=detail,
        code=code,
        errors=[FieldError(field, message) for field, message in errors],
        task_id=task_id,
        state=state,
        failure=failure,
    )
    return json(status, body, extra, kind=PROBLEM, outcome=outcome)


def json(
    status: HTTPStatus, body: object, extra: Iterable[Header] = (), *, kind: bytes = JSON, outcome: str = ""
) -> Response:
    return framed(status, _encode(body), kind, extra, outcome=outcome)


def framed(
    status: HTTPStatus, data: bytes, kind: bytes, extra: Iterable[Header] = (), *, outcome: str = ""
) -> Response:
    length = str(len(data)).encode()
    return Response(status.value, data, [(b"content-type", kind), (b"content-length", length), *extra], outcome)
