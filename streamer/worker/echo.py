"""What every result repeats of its record: the request's own fields, its key, its trace."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from streamer.kafka.base import Headers, Message
from streamer.records import TASK_ID, TRACEPARENT, Echo, Position
from streamer.worker.task import Task

E = TypeVar("E", bound=Echo)

_NAME = 200
"""Characters of a source or an id that are always repeated; no valid one is longer."""
_KEY = 2_000
"""Bytes of the longest key that is written; no valid identity's is longer."""


def echo(task: Task) -> dict[str, Any]:
    """The fields of records.Echo."""
    request, claim, record = task.request, task.claim, task.record
    return {
        "source": claim.identity.source,
        "id": claim.identity.id,
        "generation": claim.generation,
        "metadata": request.metadata if request else {},
        "callback": request.callback if request else None,
        "output_name": request.output_name if request else None,
        "requested_at": request.requested_at if request else 0,
        "position": Position(topic=record.partition.topic, partition=record.partition.number, offset=record.offset),
    }


def shortened(result: E) -> E:
    """Without what only an invalid request makes enormous."""
    return msgspec.structs.replace(
        result, source=result.source[:_NAME], id=result.id[:_NAME], metadata={}, callback=None, output_name=None
    )


def message(task: Task, topic: str, value: bytes) -> Message:
    """A result's message: keyed as its request, or, where that could not be decoded, as its record."""
    headers: Headers = ((TASK_ID, task.claim.identity.id[:_NAME].encode()),)
    if task.traceparent is not None:
        headers += ((TRACEPARENT, task.traceparent),)
    key = task.claim.identity.key if task.request is not None else task.record.key
    return Message(topic=topic, key=None if key is None else key[:_KEY], value=value, headers=headers)
