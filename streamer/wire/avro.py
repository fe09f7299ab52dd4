"""Avro single-object encoding: C3 01, the schema's fingerprint, the record."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Generic

import fastavro
import msgspec

from streamer.errors import RequestFailed
from streamer.records import FailureCode, SpeechCompleted, SpeechFailed, SpeechReplayed, SpeechRequest
from streamer.wire import schemas
from streamer.wire.base import R

MARKER = b"\xc3\x01"
_HEAD = len(MARKER) + 8


class AvroCodec(Generic[R]):
    """Writes the current version of one schema; reads every version that was ever written.

    Errors: `decode` raises RequestFailed("undecodable") and says what the bytes are instead.
    """

    def __init__(self, name: str, record: type[R]) -> None:
        self._record: type[R] = record
        self.current = schemas.current(name)
        """Our schema, as the file has it."""
        self.schema: Any = fastavro.parse_schema(schemas.plain(self.current))
        """The same, parsed, without logical types."""
        self._head = MARKER + schemas.fingerprint(self.current)
        self._writers: dict[bytes, Any] = {
            schemas.fingerprint(schema): fastavro.parse_schema(schemas.plain(schema))
            for schema in schemas.history(name)
        }
        self._writers[self._head[2:]] = self.schema
        self._optional = _optional_records(self.schema)

    def encode(self, record: R) -> bytes:
        return self.written(self._head, record)

    def written(self, head: bytes, record: R) -> bytes:
        """`head`, and behind it the record in the current schema."""
        out = BytesIO()
        out.write(head)
        fields = msgspec.to_builtins(record, builtin_types=(bytes,))
        for name, type in self._optional.items():
            if fields[name] is not None:
                fields[name] = type, fields[name]
        fastavro.schemaless_writer(out, self.schema, fields)
        return out.getvalue()

    def decode(self, data: bytes | None) -> R:
        if not data:
            raise RequestFailed(
                FailureCode.UNDECODABLE, f"the record has no value; send an Avro {self._record.__name__}"
            )
        if data[:2] != MARKER:
            raise RequestFailed(FailureCode.UNDECODABLE, _what(data))
        writer = self._writers.get(data[2:_HEAD])
        if writer is None:
            raise RequestFailed(
                FailureCode.UNDECODABLE,
                f"unknown schema fingerprint {data[2:_HEAD].hex()}; write one of the versions in schemas/history",
            )
        return self.read(data, _HEAD, writer)

    def read(self, data: bytes, start: int, writer: Any) -> R:
        """The record from `start` to the end, written in the parsed schema `writer`."""
        body = BytesIO(data)
        body.seek(start)
        try:
            fields: Any = fastavro.schemaless_reader(body, writer)
            # Resolving costs time, so only where the schemas differ. It passes over what ours lacks without looking for
            # the record's end, and could be told to do so 2^62 times; read as it was written first, it has one.
            if writer is not self.schema:
                body.seek(start)
                fields = fastavro.schemaless_reader(body, writer, self.schema)
            record: R = msgspec.convert(fields, self._record)
        except Exception as error:  # fastavro raises whatever its parsing met: EOFError, IndexError, …
            raise RequestFailed(
                FailureCode.UNDECODABLE, f"not a {self._record.__name__}: {type(error).__name__}: {error}"
            ) from error
        if body.tell() != len(data):
            extra = len(data) - body.tell()
            raise RequestFailed(FailureCode.UNDECODABLE, f"{extra} bytes follow the {self._record.__name__}")
        return record

    def load(self, schema_id: int) -> None:
        """Nothing to do: `decode` needs no schema that is not in schemas/history."""


def _optional_records(schema: Any) -> dict[str, str]:
    """The fields that are null or a record, and which record. fastavro tells the two apart by checking all that is in
    a value, unless it is told: a third of the time of writing a SpeechReplayed."""
    names: set[str] = set()
    found = {}
    for field in schema["fields"]:
        if isinstance(field["type"], list) and len(field["type"]) == 2 and field["type"][0] == "null":
            type = field["type"][1]
            if isinstance(type, dict) and type["type"] == "record":
                names.add(type := type["name"])
            if isinstance(type, str) and type in names:
                found[field["name"]] = type
    return found


def _what(data: bytes) -> str:
    if data[:1] == b"\x00":
        return "Confluent wire format; set schema_registry.url to read it, or write Avro single-object encoding (C3 01)"
    if data[:1] in b"{[":
        return "looks like JSON; send it to the bridge, or encode it as an Avro single object (C3 01)"
    return f"not an Avro single object: starts with {data[:4].hex(' ')}, expected c3 01"


def requests() -> AvroCodec[SpeechRequest]:
    return AvroCodec("speech_request", SpeechRequest)


def completed() -> AvroCodec[SpeechCompleted]:
    return AvroCodec("speech_completed", SpeechCompleted)


def failed() -> AvroCodec[SpeechFailed]:
    return AvroCodec("speech_failed", SpeechFailed)


def replayed() -> AvroCodec[SpeechReplayed]:
    return AvroCodec("speech_replayed", SpeechReplayed)
