"""A task: one record on its way through the worker, and how a record becomes one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import NamedTuple, Protocol

from streamer.engines.base import Utterance, estimated_tokens
from streamer.errors import RequestFailed
from streamer.identity import Identity, Owner, derived_id, fingerprint, raw_fingerprint
from streamer.kafka.base import Record, headers_of
from streamer.observe.logs import trace_id
from streamer.records import FOLLOWS, ORIGIN, TRACEPARENT, SpeechRequest
from streamer.validation import checked
from streamer.worker.judge import Claim
from streamer.worker.tenure import Tenure

_GENERATION_DIGITS, _PARTITION_DIGITS, _OFFSET_DIGITS = 6, 9, 18
_PROMPT = 125
"""Speech tokens of a request's own prompt, five seconds of it: what the engine holds beside the speech, and this
process in memory."""
_TRACEPARENT = 128
"""Bytes of the longest traceparent that is passed on; version 00 of the W3C's has 55."""


class Task:
    """Belongs to a tenure; what it waits for is known to whoever holds it (pool, admission, engine)."""

    __slots__ = (
        "attempts",
        "claim",
        "company",
        "cost",
        "failure",
        "found",
        "generation_problem",
        "record",
        "rejected",
        "request",
        "revision",
        "speeches",
        "spoken_at",
        "started_at",
        "template",
        "tenure",
        "traceparent",
        "utterance",
    )

    def __init__(self, tenure: Tenure, record: Record, claim: Claim, request: SpeechRequest | None) -> None:
        self.tenure = tenure
        self.record = record
        self.claim = claim
        self.request = request  # None: it could not be decoded
        self.failure: RequestFailed | None = None  # known before any work
        self.generation_problem = ""
        self.cost = 1
        self.attempts = 0  # that failed in the engine, or killed their worker: engine.attempts of them at most
        self.company = 0  # how many it may be under way with, itself included; 0: as many as there is room for
        self.revision: str | None = None  # that its speech came from; None: the engine profile's
        self.speeches = 0  # that it made, each verified: two at most
        self.utterance: Utterance | None = None
        self.template = ""  # hash of the rule that made its text
        self.started_at = 0.0  # epoch seconds: given to the engine
        self.spoken_at = 0.0
        self.rejected = False  # the store refused its audio
        self.traceparent: bytes | None = None
        self.found: object = None  # what its duty keeps of what stood about it before it was spoken

    @property
    def synthesized(self) -> int:
        """How often it was, well or not."""
        return self.attempts + self.speeches

    @property
    def trace_id(self) -> str:
        return trace_id(self.traceparent)


def cost(request: SpeechRequest, text: str) -> int:
    """Estimated speech tokens of what it takes to speak a request, its text being `text`."""
    return estimated_tokens(text) + (_PROMPT if request.prompt is not None else 0)


class RequestCodec(Protocol):
    def decode(self, data: bytes | None) -> SpeechRequest: ...


class Identified(NamedTuple):
    """Who a record is, and what is wrong with it."""

    claim: Claim
    request: SpeechRequest | None
    """None: it could not be decoded."""
    failure: RequestFailed | None
    problem: str
    """With the headers of a redrive; empty: none."""


class TaskReader:
    """Makes tasks of records; what is wrong with a record becomes its failure, never an exception.

    Errors: SchemaNotLoaded, and then the record can be read once its schema was loaded.
    """

    def __init__(
        self, codec: RequestCodec, cluster_id: str, topic_id: uuid.UUID, ttl: Callable[[str], float | None]
    ) -> None:
        """`ttl`: seconds that an event of a type may wait, from its record's time stamp."""
        self._codec, self._ttl = codec, ttl
        self._cluster_id = cluster_id
        self._topic_id = topic_id
        self._topic = str(topic_id)

    def read(self, tenure: Tenure, record: Record) -> Task:
        headers = headers_of(record) if record.headers else {}
        claim, request, failure, problem = self._identified(record, headers)
        task = Task(tenure, record, claim, request)
        task.failure = failure
        task.generation_problem = problem
        traceparent = headers.get(TRACEPARENT)
        if traceparent is not None and len(traceparent) <= _TRACEPARENT:
            task.traceparent = traceparent
        if request is not None and failure is None:
            task.cost = cost(request, request.text or (request.event.data if request.event else ""))
        return task

    def identify(self, record: Record) -> Identified:
        """What `read` would say of it."""
        return self._identified(record, headers_of(record))

    def _identified(self, record: Record, headers: dict[str, bytes]) -> Identified:
        request, failure = None, None
        try:
            request = self._codec.decode(record.value)
            checked(request)
        except RequestFailed as error:
            failure = error
        generation, generation_problem = _generation(headers.get(FOLLOWS))
        partition, offset, origin_problem = _origin(headers.get(ORIGIN), record)
        claim = Claim(
            identity=Identity(
                request.source if request else "",
                (request.id if request else "") or derived_id(self._topic_id, partition, offset),
            ),
            generation=generation,
            owner=Owner(
                cluster=self._cluster_id, topic=self._topic, partition=record.partition.number, offset=record.offset
            ),
            fingerprint=fingerprint(request) if request else raw_fingerprint(record.value),
            expires_at=self._expiry(request, record) if request else None,
        )
        return Identified(claim, request, failure, generation_problem or origin_problem)

    def _expiry(self, request: SpeechRequest, record: Record) -> int | None:
        if request.expires_at is not None or request.event is None:
            return request.expires_at
        ttl = self._ttl(request.event.type)
        if ttl is None or record.timestamp <= 0:  # a producer may leave the time stamp out
            return None
        return record.timestamp + int(ttl * 1000)


def _generation(header: bytes | None) -> tuple[int, str]:
    """The generation a record asks for: 1, or one above the failure that it follows."""
    if header is None:
        return 1, ""
    if header.isdigit() and len(header) <= _GENERATION_DIGITS and int(header) > 0:
        return int(header) + 1, ""
    return 1, f"header {FOLLOWS}: {header[:40]!r} is no generation; it is written by a redrive"


def _origin(header: bytes | None, record: Record) -> tuple[int, int, str]:
    """Where a request stood first: its own position, unless a redrive says otherwise.

    Without a generation that it follows it is the redrive of a record that could not be decoded before: plain, but for
    an id that it lacks.
    """
    here = record.partition.number, record.offset
    if header is None:
        return *here, ""
    partition, _, offset = header.partition(b"/")
    digits = partition.isdigit() and offset.isdigit()
    if digits and len(partition) <= _PARTITION_DIGITS and len(offset) <= _OFFSET_DIGITS:
        return int(partition), int(offset), ""
    return *here, f"header {ORIGIN}: {header[:40]!r} is no <partition>/<offset> of a redrive"
