"""The Confluent wire format against a registry in memory."""

from __future__ import annotations

import json
import threading
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.clock import ManualClock
from streamer.errors import RegistryUnavailable, RequestFailed, SchemaNotLoaded, StreamerError
from streamer.records import SpeechRequest
from streamer.wire import avro, confluent, schemas
from streamer.wire.base import Codec
from streamer.wire.confluent import ConfluentCodec
from streamer.wire.registry import Found
from tests.wire.records import REQUESTS

OURS = 7
SOURCE = {"name": "source", "type": "string"}
REQUEST = SpeechRequest(source="shop", id="订单-1", text="您好", expires_at=1_800_000_000_000)


class MemoryRegistry:
    """Schemas by number, and what was asked; `down` makes it unavailable."""

    def __init__(self) -> None:
        self.schemas: dict[int, Found] = {}
        self.asked: list[int] = []
        self.down = False

    @property
    def url(self) -> str:
        return "memory:"

    def put(self, schema_id: int, schema: Any, *references: Any, kind: str = "AVRO") -> None:
        self.schemas[schema_id] = Found(kind, json.dumps(schema), tuple(json.dumps(each) for each in references))

    def schema(self, schema_id: int) -> Found | None:
        self.asked.append(schema_id)
        if self.down:
            raise RegistryUnavailable("it is down")
        return self.schemas.get(schema_id)


class Setting:
    def __init__(self, schema_id: int | None = OURS) -> None:
        self.registry, self.clock = MemoryRegistry(), ManualClock()
        self.registry.put(OURS, schemas.current("speech_request"))
        self.codec = ConfluentCodec(avro.requests(), self.registry, self.clock, schema_id)

    def loaded(self, data: bytes) -> SpeechRequest:
        with pytest.raises(SchemaNotLoaded) as missing:
            self.codec.decode(data)
        self.codec.load(missing.value.schema_id)
        return self.codec.decode(data)

    def undecodable(self, data: bytes) -> str:
        with pytest.raises(RequestFailed) as failed:
            self.loaded(data)
        assert failed.value.code == "undecodable"
        return failed.value.message


def framed(schema_id: int, schema: Any, record: Any) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def record(*fields: Any, name: str = "SpeechRequest") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "com.acme", "fields": [SOURCE, *fields]}


@given(REQUESTS)
def test_any_request_comes_back_and_is_framed(request: SpeechRequest) -> None:
    setting = Setting()
    data = setting.codec.encode(request)
    assert data[:5] == b"\0\0\0\0\x07"
    assert setting.codec.decode(data) == request
    assert setting.registry.asked == []


def test_both_formats_are_read_mixed() -> None:
    setting = Setting()
    values = [avro.requests().encode(REQUEST), setting.codec.encode(REQUEST)] * 2
    assert [setting.codec.decode(value) for value in values] == [REQUEST] * 4


def test_who_only_reads_cannot_write_and_loads_our_own_schema_too() -> None:
    setting = Setting(schema_id=None)
    with pytest.raises(ValueError, match="writes"):
        setting.codec.encode(REQUEST)
    assert setting.loaded(Setting().codec.encode(REQUEST)) == REQUEST
    setting.codec.load(OURS)
    assert setting.registry.asked == [OURS]


def test_without_a_registry_nothing_needs_loading() -> None:
    codec: Codec[SpeechRequest] = avro.requests()
    codec.load(1)
    with pytest.raises(RequestFailed, match=r"set schema_registry\.url"):
        codec.decode(b"\0\0\0\0\x07abc")


def test_while_the_registry_is_down_known_numbers_go_on_and_others_wait() -> None:
    setting = Setting()
    setting.registry.down = True
    later = framed(8, record(), {"source": "shop"})
    for _ in range(3):
        assert setting.codec.decode(setting.codec.encode(REQUEST)) == REQUEST
        with pytest.raises(SchemaNotLoaded):
            setting.codec.decode(later)
        with pytest.raises(RegistryUnavailable):
            setting.codec.load(8)
    setting.registry.down = False
    setting.registry.put(8, record())
    assert setting.loaded(later) == SpeechRequest(source="shop")


@pytest.mark.parametrize(
    ("fields", "values", "expected"),
    [
        ((), {}, {}),
        (({"name": "text", "type": "string"},), {"text": "hi"}, {"text": "hi"}),
        (({"name": "id", "type": ["null", "string"]},), {"id": "1"}, {"id": "1"}),
        (({"name": "seed", "type": "int"},), {"seed": 5}, {"seed": 5}),
        (
            ({"name": "extra", "type": {"type": "array", "items": "int"}}, {"name": "text", "type": "string"}),
            {"extra": [1, 2], "text": "hi"},
            {"text": "hi"},
        ),
        (
            ({"name": "expires_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},),
            {"expires_at": 1_800_000_000_000},
            {"expires_at": 1_800_000_000_000},
        ),
        (
            ({"name": "id", "type": {"type": "string", "logicalType": "uuid"}},),
            {"id": "0d8d4c16-6d0b-4c39-9b0e-9c9b8b2f9c62"},
            {"id": "0d8d4c16-6d0b-4c39-9b0e-9c9b8b2f9c62"},
        ),
        (({"name": "at", "type": {"type": "int", "logicalType": "date"}},), {"at": 20_000}, {}),
    ],
)
def test_what_other_producers_write_is_read(fields: Any, values: Any, expected: Any) -> None:
    setting = Setting()
    schema = record(*fields)
    setting.registry.put(8, schema)
    data = framed(8, schemas.plain(schema), {"source": "shop", **values})
    assert setting.loaded(data) == SpeechRequest(source="shop", **expected)


def test_a_schema_in_several_parts_is_read() -> None:
    event = {
        "type": "record",
        "name": "Event",
        "namespace": "com.acme",
        "fields": [{"name": "type", "type": "string"}, {"name": "data", "type": "string"}],
    }
    schema = record({"name": "event", "type": "com.acme.Event"})
    whole = record({"name": "event", "type": event})
    setting = Setting()
    setting.registry.put(8, schema, event)
    read = setting.loaded(framed(8, whole, {"source": "s", "event": {"type": "t", "data": "{}"}}))
    assert msgspec.to_builtins(read.event) == {"type": "t", "data": "{}"}


def test_a_number_without_schema_is_undecodable_for_a_while() -> None:
    setting = Setting()
    data = framed(9, record(), {"source": "shop"})
    for _ in range(3):
        with pytest.raises((SchemaNotLoaded, RequestFailed)):
            setting.loaded(data)
    assert "there is no schema 9 of memory:" in setting_message(setting, data)
    assert setting.registry.asked == [9]
    # A replica that lagged has it now.
    setting.registry.put(9, record())
    setting.clock.advance(confluent.STANDS)
    assert setting.loaded(data) == SpeechRequest(source="shop")


def setting_message(setting: Setting, data: bytes) -> str:
    with pytest.raises(RequestFailed) as failed:
        setting.codec.decode(data)
    return failed.value.message


def test_a_schema_of_something_else_is_undecodable_and_named() -> None:
    setting = Setting()
    setting.registry.put(9, record(name="Order"))
    assert "is of com.acme.Order, not of SpeechRequest" in setting.undecodable(b"\0\0\0\0\x09abc")
    setting.registry.put(10, {"not": "avro"}, kind="PROTOBUF")
    assert "is PROTOBUF, not AVRO" in setting.undecodable(b"\0\0\0\0\x0aabc")


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\1", b"\0\xff\xff\xff\xff\1", b"\0\x80\0\0\0\1"])
def test_what_cannot_be_a_number_is_never_asked_for(data: bytes) -> None:
    setting = Setting()
    with pytest.raises(RequestFailed, match="expected 00 and the number of a schema"):
        setting.codec.decode(data)
    assert setting.registry.asked == []


def test_garbage_numbers_flood_neither_the_registry_nor_the_memory() -> None:
    setting = Setting()
    refused = waiting = 0
    for number in range(100, 2_000):
        data = b"\0" + number.to_bytes(4, "big")
        try:
            setting.undecodable(data)
            refused += 1
        except RegistryUnavailable as error:
            assert "unknown schemas were met within 10 s" in str(error)
            waiting += 1
    assert (refused, waiting) == (confluent.MOST_REFUSED, 1_800)
    assert len(setting.registry.asked) == confluent.MOST_REFUSED
    # Nothing is lost: the next ones are judged later, and what is known goes on meanwhile.
    assert setting.codec.decode(setting.codec.encode(REQUEST)) == REQUEST
    setting.clock.advance(confluent.STANDS)
    assert "there is no schema 1999" in setting.undecodable((1999).to_bytes(5, "big"))


@given(st.binary(max_size=40))
def test_any_body_is_a_request_or_undecodable(body: bytes) -> None:
    setting = Setting()
    try:
        setting.codec.decode(b"\0\0\0\0\x07" + body)
    except RequestFailed as error:
        assert error.code == "undecodable"


def test_a_record_cut_anywhere_or_followed_by_more_is_undecodable() -> None:
    setting = Setting()
    data = setting.codec.encode(REQUEST)
    for end in range(1, len(data)):
        with pytest.raises(RequestFailed):
            setting.codec.decode(data[:end])
    with pytest.raises(RequestFailed, match="1 bytes follow"):
        setting.codec.decode(data + b"x")


def test_schemas_are_loaded_in_other_threads_while_records_are_decoded() -> None:
    setting = Setting()
    numbers = range(8, 108)
    for number in numbers:
        setting.registry.put(number, record())
    errors: list[StreamerError] = []

    def load(own: list[int]) -> None:
        try:
            for number in own:
                setting.codec.load(number)
        except StreamerError as error:
            errors.append(error)

    threads = [threading.Thread(target=load, args=([*numbers],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    decoded: set[int] = set()
    while len(decoded) < len(numbers) and not errors:
        for number in numbers:
            try:
                setting.codec.decode(framed(number, record(), {"source": "s"}))
                decoded.add(number)
            except SchemaNotLoaded:
                continue
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("items", ["boolean", "float", "double", {"type": "fixed", "name": "F", "size": 4}])
@pytest.mark.parametrize("count", [2**60, -(2**60)])
def test_fields_that_we_pass_over_end_with_their_record(items: Any, count: int) -> None:
    """fastavro passes over items without looking whether there are any: 2^60 of them would take for ever."""
    setting = Setting()
    schema = record(SOURCE, {"name": "scores", "type": {"type": "array", "items": items}})
    setting.registry.put(8, schema)
    setting.codec.load(8)
    head = BytesIO()
    fastavro.schemaless_writer(head, "string", "shop")
    fastavro.schemaless_writer(head, "long", count)
    if count < 0:
        fastavro.schemaless_writer(head, "long", 8)
    with pytest.raises(RequestFailed, match="not a SpeechRequest"):
        setting.codec.decode(b"\0\0\0\0\x08" + head.getvalue())
