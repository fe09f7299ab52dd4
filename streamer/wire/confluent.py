"""The Confluent wire format: 00, the schema's number in the registry, the record.

The bytes are made by fastavro, the registry is spoken to by confluent-kafka's client. Its AvroDeserializer would ask
the registry from within the loop that decodes, which must never wait; it gives dates where the records have
milliseconds, and takes three times as long (README, "Design").
"""

from __future__ import annotations

import threading
from typing import Any, Generic, Protocol

from streamer.clock import Clock
from streamer.errors import RegistryUnavailable, RequestFailed, SchemaNotLoaded
from streamer.records import FailureCode
from streamer.wire import resolution
from streamer.wire.avro import AvroCodec
from streamer.wire.base import R
from streamer.wire.registry import Found

MAGIC = b"\x00"
_HEAD = 5
_LARGEST = 2**31 - 1
"""Numbers of schemas are a signed int."""

STANDS = 10.0
"""Seconds that a number stays refused before the registry is asked of it again: one that answers "no such schema" may
be a replica that lags. A record that failed meanwhile stays failed: a producer gets its number from the registry, so
what has none is no record of ours."""
MOST_REFUSED = 100
"""Numbers refused at once. Beyond it nothing is asked, so that garbage cannot be made into a flood of questions."""
_MOST_WRITERS = 1_000


class Schemas(Protocol):
    """What is asked of a registry here."""

    @property
    def url(self) -> str: ...

    def schema(self, schema_id: int) -> Found | None:
        """None: there is none of that number. Errors: RegistryUnavailable."""
        ...


class ConfluentCodec(Generic[R]):
    """Writes the Confluent wire format with the schema it registered; reads that and Avro single objects, mixed."""

    def __init__(self, plain: AvroCodec[R], registry: Schemas, clock: Clock, schema_id: int | None) -> None:
        """`schema_id`: the registry's number of the current schema; None where nothing is to be written."""
        self._plain: AvroCodec[R] = plain
        self._registry, self._clock = registry, clock
        self._head = None if schema_id is None else MAGIC + schema_id.to_bytes(_HEAD - 1, "big")
        # Changed under the lock, by threads that load; read without it.
        self._lock = threading.Lock()
        self._writers: dict[int, Any] = {} if schema_id is None else {schema_id: plain.schema}
        self._refused: dict[int, tuple[float, str]] = {}

    def encode(self, record: R) -> bytes:
        if self._head is None:
            raise ValueError("this codec was opened for reading only: name its topic in `writes`")
        return self._plain.written(self._head, record)

    def decode(self, data: bytes | None) -> R:
        if not data or data[:1] != MAGIC:
            return self._plain.decode(data)
        schema_id = int.from_bytes(data[1:_HEAD], "big")
        if len(data) < _HEAD or schema_id > _LARGEST:
            raise RequestFailed(
                FailureCode.UNDECODABLE, f"starts with {data[:_HEAD].hex(' ')}, expected 00 and the number of a schema"
            )
        writer = self._writers.get(schema_id)
        if writer is None:
            reason = self._why_refused(schema_id)
            if reason is None:
                raise SchemaNotLoaded(schema_id)
            raise RequestFailed(FailureCode.UNDECODABLE, reason)
        return self._plain.read(data, _HEAD, writer)

    def load(self, schema_id: int) -> None:
        if schema_id in self._writers or self._why_refused(schema_id) is not None:
            return
        with self._lock:
            self._forget()
            if len(self._refused) >= MOST_REFUSED:
                raise RegistryUnavailable(
                    f"{MOST_REFUSED} unknown schemas were met within {STANDS:g} s; {self._registry.url} is not asked "
                    f"of schema {schema_id} yet. Somebody writes records that are none: see the failures"
                )
        found = self._registry.schema(schema_id)
        where = f"schema {schema_id} of {self._registry.url}"
        if found is None:
            self._refuse(schema_id, f"there is no {where}; was the record written with another registry?")
        elif found.kind != "AVRO":
            self._refuse(schema_id, f"{where} is {found.kind}, not AVRO")
        else:
            try:
                writer = resolution.writer(found.text, found.references, self._plain.current)
            except resolution.Unreadable as error:
                self._refuse(schema_id, f"{where} {error}")
            else:
                with self._lock:
                    while len(self._writers) >= _MOST_WRITERS:
                        del self._writers[next(iter(self._writers))]
                    self._writers[schema_id] = writer

    def _why_refused(self, schema_id: int) -> str | None:
        since, reason = self._refused.get(schema_id, (0.0, ""))
        return reason if reason and self._clock.monotonic() - since < STANDS else None

    def _refuse(self, schema_id: int, reason: str) -> None:
        with self._lock:
            self._refused[schema_id] = (self._clock.monotonic(), reason)

    def _forget(self) -> None:
        now = self._clock.monotonic()
        for schema_id in [number for number, (since, _) in self._refused.items() if now - since >= STANDS]:
            del self._refused[schema_id]
