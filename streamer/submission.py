"""A request on its way out: its id, its time stamp, its trace, and the message that carries it."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from streamer.clock import Clock
from streamer.identity import Identity
from streamer.kafka.base import Message
from streamer.records import TASK_ID, TRACEPARENT, SpeechRequest
from streamer.wire import avro

NewId = Callable[[], str]
RandomBytes = Callable[[int], bytes]
Encode = Callable[[SpeechRequest], bytes]

# W3C Trace Context, level 1: ids of zeros and version ff are invalid; later versions may carry more after the flags.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_MAX_TRACEPARENT = 200


class Submissions:
    """Makes messages of requests for one topic. Ids, time and randomness are given to it."""

    def __init__(
        self, topic: str, clock: Clock, new_id: NewId, random_bytes: RandomBytes, encode: Encode | None = None
    ) -> None:
        """`encode`: Avro single-object encoding by default."""
        self._topic, self._clock, self._new_id, self._random_bytes = topic, clock, new_id, random_bytes
        self._encode = encode or avro.requests().encode

    def completed(self, request: SpeechRequest) -> SpeechRequest:
        """The request with an id and the time it was made, where it came without."""
        if request.id and request.requested_at:
            return request
        return msgspec.structs.replace(
            request,
            id=request.id or self._new_id(),
            requested_at=request.requested_at or int(self._clock.now() * 1000),
        )

    def message(self, request: SpeechRequest, traceparent: str | None = None) -> Message:
        """The message for a request that has an id. A trace that is missing or malformed is begun here."""
        trace = traceparent if traceparent and is_traceparent(traceparent) else new_traceparent(self._random_bytes)
        return Message(
            topic=self._topic,
            key=Identity(request.source, request.id).key,
            value=self._encode(request),
            headers=((TASK_ID, request.id.encode()), (TRACEPARENT, trace.encode())),
        )


def is_traceparent(value: str) -> bool:
    match = _TRACEPARENT.fullmatch(value) if len(value) <= _MAX_TRACEPARENT else None
    return match is not None and (match[1] != "00" or match[2] is None)


def new_traceparent(random_bytes: RandomBytes) -> str:
    """The start of a trace, sampled."""
    drawn = random_bytes(24)
    return f"00-{drawn[:16].hex()}-{drawn[16:].hex()}-01"
