"""What is to become of one failure: sent again, and how, or left, and why."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import msgspec

from streamer.clock import Clock
from streamer.errors import RegistryUnavailable, SchemaNotLoaded, StoreRejected
from streamer.identity import Identity
from streamer.kafka.base import Headers, Message, Record
from streamer.records import FOLLOWS, ORIGIN, FailureCode, SpeechFailed
from streamer.store.verdicts import Failed, Verdict, Verdicts
from streamer.worker.judge import follows
from streamer.worker.redrive.originals import Originals
from streamer.worker.task import Identified, TaskReader

_PATIENCE = 60.0
"""Seconds that a schema may take while the registry does not answer."""
_PAUSE = 1.0


class Fate(Enum):
    SEND = "sent"
    LEFT = "left"
    LOST = "lost"
    """Retention was faster."""
    UNSENT = "not sent"
    """It should be; something has to be mended first."""


class Assessment(NamedTuple):
    fate: Fate
    why: str = ""
    """One of few, to count by."""
    message: Message | None = None
    detail: str = ""


class Assessor:
    """Thread safe. Errors: StoreUnavailable, RegistryUnavailable, those of the broker."""

    def __init__(
        self,
        verdicts: Verdicts,
        originals: Originals,
        reader: TaskReader,
        load: Callable[[int], None],
        clock: Clock,
        topic: str,
    ) -> None:
        """`reader`: as workers read `topic`, the one of requests. `load`: a schema of the registry, by its number."""
        self._verdicts, self._originals, self._reader = verdicts, originals, reader
        self._load, self._clock, self._topic = load, clock, topic

    def assess(self, failed: SpeechFailed) -> Assessment:
        if failed.position.topic != self._topic:
            return _left(f"its request stands on {failed.position.topic}, and kafka.topics.requests is {self._topic}")
        record = self._originals.of(failed)
        if record is None:
            return Assessment(Fate.LOST, "too large for its failure to carry, and no longer on the topic of requests")
        found = self._identified(record)
        try:
            if found.request is None:
                return self._unread(failed)
            if failed.code == FailureCode.UNDECODABLE:
                return self._anew(failed, record, found)
            return self._again(failed, record, found)
        except StoreRejected as error:
            return Assessment(Fate.UNSENT, "its verdict cannot be read", detail=str(error))

    def _identified(self, record: Record) -> Identified:
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                return self._reader.identify(record)
            except SchemaNotLoaded as error:
                missing = error.schema_id
            try:
                self._load(missing)
            except RegistryUnavailable:
                if self._clock.monotonic() >= deadline:
                    raise
                self._clock.sleep(_PAUSE)

    def _unread(self, failed: SpeechFailed) -> Assessment:
        if failed.code == FailureCode.UNDECODABLE:
            return _left("still cannot be decoded")
        return Assessment(Fate.UNSENT, "its worker could decode it: set schema_registry.url as for the workers")

    def _again(self, failed: SpeechFailed, record: Record, found: Identified) -> Assessment:
        """As the next generation of the same request."""
        claim = msgspec.structs.replace(found.claim, generation=failed.generation + 1)
        if wrong := follows(claim, self._verdicts.read(claim.identity, failed.generation)):
            return _left(wrong)
        if standing := self._verdicts.read(claim.identity, claim.generation):
            return _redriven(standing)
        return self._sent(failed, record, ((FOLLOWS, str(failed.generation).encode()),))

    def _anew(self, failed: SpeechFailed, record: Record, found: Identified) -> Assessment:
        """It could not be decoded then, and can be now: a request that nobody met yet, by the id that it names.

        Its failure is that of its bytes, under no source and an id of its position; a record that followed that would
        be another request of another id, a conflict. So it goes as a plain one.
        """
        bytes_failed = self._verdicts.read(Identity(failed.source, failed.id), failed.generation)
        if bytes_failed is not None and bytes_failed.deleted:
            return _left(f"generation {failed.generation} of this id was deleted")
        standing = self._verdicts.read(found.claim.identity, 1)
        if standing is None:
            return self._sent(failed, record, ())
        if standing.fingerprint != found.claim.fingerprint:
            return _left("its id was used for another request meanwhile; its sender sends it under a new id")
        return _redriven(standing)

    def _sent(self, failed: SpeechFailed, record: Record, marks: Headers) -> Assessment:
        """The same key, value, headers and partition; of a redrive's headers its own, and the first origin."""
        kept = tuple(header for header in record.headers if header[0] not in (FOLLOWS, ORIGIN))
        here = f"{failed.position.partition}/{failed.position.offset}".encode()
        origin = next((value for name, value in reversed(record.headers) if name == ORIGIN and value), here)
        message = Message(
            topic=self._topic,
            key=record.key,
            value=record.value,
            headers=(*kept, *marks, (ORIGIN, origin)),
            partition=failed.position.partition,
        )
        return Assessment(Fate.SEND, message=message)


def _left(why: str) -> Assessment:
    return Assessment(Fate.LEFT, why)


def _redriven(standing: Verdict) -> Assessment:
    state = standing.state
    if standing.deleted:
        ended = "and deleted"
    elif isinstance(state, Failed):
        ended = f"and failed again as {state.code}"
    else:
        ended = "and completed"
    return _left(f"already redriven, {ended}")
