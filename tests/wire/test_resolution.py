from __future__ import annotations

import json
from typing import Any

import pytest

from streamer.wire import resolution, schemas

SOURCE = {"name": "source", "type": "string"}
NOTHING = {"name": "nothing", "type": "null"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}


def record(*fields: Any, name: str = "SpeechRequest") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields]}


def problem(schema: Any, *references: Any, ours: str = "speech_request") -> str:
    with pytest.raises(resolution.Unreadable) as unreadable:
        resolution.writer(json.dumps(schema), [json.dumps(each) for each in references], schemas.current(ours))
    return str(unreadable.value)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("string", "is no record, but string"),
        ({"type": "array", "items": "int"}, "is no record, but array of int"),
        (["null", "string"], "is no record, but null or string"),
        (record(SOURCE, name="com.acme.Order"), "is of com.acme.Order, not of SpeechRequest"),
        (record(), "has no field source"),
        (record({"name": "source", "type": "long"}), "source is long, not string"),
        (
            record({"name": "source", "type": "int"}, {"name": "text", "type": "boolean"}),
            "source is int, not string; text is boolean, not null or string",
        ),
        (record(SOURCE, {"name": "sample_rate", "type": "long"}), "sample_rate is long, not null or int"),
        (
            record(SOURCE, {"name": "event", "type": record({"name": "type", "type": "string"}, name="Event")}),
            "event is Event, not null or Event",
        ),
        (
            record(SOURCE, {"name": "format", "type": {"type": "enum", "name": "F", "symbols": ["wav"]}}),
            "format is F, not null or string",
        ),
        (
            record(SOURCE, {"name": "metadata", "type": {"type": "map", "values": "int"}}),
            "metadata is map of int, not map of string",
        ),
        (record(SOURCE, {"name": "expires_at", "type": ["null", MICROS]}), "expires_at is in timestamp-micros, not in"),
        (record(SOURCE, {"name": "requested_at", "type": MICROS}), "requested_at is in timestamp-micros, not in"),
        (record(SOURCE, {"name": "next", "type": ["null", "SpeechRequest"]}), "contains itself"),
        (record(SOURCE, {"name": "x", "type": {"type": "array", "items": "SpeechRequest"}}), "contains itself"),
        (record(SOURCE, {"name": "x", "type": "com.acme.Unknown"}), "is no valid Avro schema (UnknownType"),
        ({"type": "record"}, "is no valid Avro schema"),
        (
            record(SOURCE, {"name": "x", "type": {"type": "array", "items": "null"}}),
            "array or map of items without bytes",
        ),
        (
            record(SOURCE, {"name": "x", "type": {"type": "array", "items": record(name="Empty")}}),
            "array or map of items without bytes",
        ),
        (
            record(SOURCE, {"name": "x", "type": {"type": "map", "values": record(SOURCE, NOTHING, name="Wide")}}),
            "array or map of items without bytes",
        ),
    ],
)
def test_why_a_schema_cannot_be_read(schema: Any, expected: str) -> None:
    assert expected in problem(schema)


def test_text_that_is_no_json() -> None:
    with pytest.raises(resolution.Unreadable, match="is no valid Avro schema"):
        resolution.writer("{nonsense", (), schemas.current("speech_request"))


@pytest.mark.parametrize("name", ["speech_request", "speech_completed", "speech_failed"])
def test_ours_are_readable_as_themselves_only(name: str) -> None:
    ours = schemas.current(name)
    assert resolution.writer(json.dumps(ours), (), ours)
    for other in {"speech_request", "speech_completed", "speech_failed"} - {name}:
        assert "not of" in problem(ours, ours=other)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ({"name": "requested_at", "type": MILLIS},),
        ({"name": "requested_at", "type": "long"},),
        ({"name": "requested_at", "type": "int"},),
        ({"name": "voice", "type": ["null", "string", "int"]},),
        ({"name": "text", "type": "bytes"},),
        ({"name": "again", "type": record(SOURCE, name="Once")}, {"name": "twice", "type": "Once"}),
    ],
)
def test_what_can_be_read(fields: Any) -> None:
    assert resolution.writer(json.dumps(record(SOURCE, *fields)), (), schemas.current("speech_request"))


def test_a_schema_that_unfolds_without_end_is_refused_at_once() -> None:
    """Each record holds the one before twice: 2^40 of them, were all gone through."""
    fields: list[Any] = [SOURCE, {"name": "f0", "type": record({"name": "x", "type": "int"}, name="R0")}]
    for level in range(1, 40):
        pair = [{"name": side, "type": f"R{level - 1}"} for side in ("left", "right")]
        fields.append({"name": f"f{level}", "type": record(*pair, name=f"R{level}")})
    assert "unfolds to more than" in problem(record(*fields))
