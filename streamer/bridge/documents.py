"""Bodies of answers, field by field; `/openapi.json` is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streamer.records import Audio, Engine, Timings

_Link = Annotated[str, Meta(description="Path of the audio on this bridge.")]


class AcceptedBody(msgspec.Struct, frozen=True, tag_field="status", tag="accepted"):
    """All in-sync replicas have the request; task_id is its id."""

    task_id: str


class SkippedBody(msgspec.Struct, frozen=True, tag_field="status", tag="skipped"):
    """The same request was finished before. state and link say how, and where its audio is."""

    task_id: str
    state: Literal["completed", "failed"]
    audio: Annotated[str | None, Meta(description="Where the store has it; null where it failed.")]
    link: _Link | None
    code: Annotated[str | None, Meta(description="Why it failed, from the list of tts.failed.")] = None
    message: str | None = None
    reason: Literal["already exists"] = "already exists"


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field, and what to send instead."""

    field: str
    message: str


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. code is for programs, detail for people."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
    task_id: Annotated[str | UnsetType, Meta(description="The id that the answer is about, and to retry with.")] = UNSET
    state: Annotated[Literal["unknown", "accepted", "failed"] | UnsetType, Meta(description="Of the job.")] = UNSET
    failure: Annotated[str | UnsetType, Meta(description="Why the job failed: a code of tts.failed.")] = UNSET


class LineBody(msgspec.Struct, frozen=True):
    """What a line of a batch, counted from 1, would have been answered alone."""

    line: int
    status: int
    answer: Annotated[
        msgspec.Raw,
        Meta(
            extra_json_schema={
                "anyOf": [
                    {"$ref": f"#/components/schemas/{name}"} for name in ("AcceptedBody", "SkippedBody", "ProblemBody")
                ]
            }
        ),
    ]


class AudioBody(Audio, frozen=True, kw_only=True):
    """The audio: where it lies in the store, and its link here."""

    link: _Link


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="accepted"):
    """This bridge published it, and nothing is decided yet."""

    source: str
    id: str
    detail: str


class JobCompleted(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="completed"):
    """Spoken and stored for good. Its record on tts.completed is committed right after, and perhaps not yet."""

    source: str
    id: str
    generation: int
    text: str
    voice: str
    engine: Engine
    audio: AudioBody
    timings: Timings
    output_name: str | None
    decided_at: Annotated[int, Meta(description="Milliseconds since the epoch.")]
    detail: str


class JobFailed(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="failed"):
    """Failed for good, or until redriven where retryable. Its record on tts.failed perhaps is not committed yet."""

    source: str
    id: str
    generation: int
    code: str
    message: str
    retryable: bool
    attempts: int
    decided_at: Annotated[int, Meta(description="Milliseconds since the epoch.")]
    detail: str


Job = JobAccepted | JobCompleted | JobFailed


class HealthBody(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyBody(msgspec.Struct, frozen=True):
    """ready, not ready or draining; each dependency is ok, or what is wrong with it."""

    status: Literal["ready", "not ready", "draining"]
    kafka: str = "ok"
    store: str = "ok"
