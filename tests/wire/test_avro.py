from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import RequestFailed
from streamer.records import (
    Audio,
    Engine,
    Event,
    Header,
    Original,
    Position,
    Prompt,
    SpeechCompleted,
    SpeechFailed,
    SpeechReplayed,
    SpeechRequest,
    Timings,
)
from streamer.wire import avro, schemas
from tests.wire.records import COMPLETED, FAILED, REPLAYED, REQUESTS

CODECS: dict[str, avro.AvroCodec[Any]] = {
    "speech_request": avro.requests(),
    "speech_completed": avro.completed(),
    "speech_failed": avro.failed(),
    "speech_replayed": avro.replayed(),
}
NAMES = list(CODECS)

_POSITION = Position(topic="tts.requests", partition=2, offset=2**40)
_AUDIO = Audio(
    uri="file:///a.wav",
    format="wav",
    sample_rate=24_000,
    frames=2**33,
    duration=1.5,
    bytes=44,
    sha256="s",
    pcm_sha256="p",
)

RECORDS: dict[str, SpeechRequest | SpeechCompleted | SpeechFailed | SpeechReplayed] = {
    "speech_request": SpeechRequest(
        source="shop",
        id="订单-1",
        text="您好",
        event=Event(type="order.paid", data="{}"),
        voice="vip",
        prompt=Prompt(prompt_audio="a", prompt_text="b"),
        format="wav",
        sample_rate=8_000,
        seed=2**63 - 1,
        phoneme=True,
        output_name="greeting",
        metadata={"a": "b"},
        callback="https://example.org",
        expires_at=1_800_000_000_000,
        requested_at=1_700_000_000_000,
    ),
    "speech_completed": SpeechCompleted(
        source="shop",
        id="1",
        position=_POSITION,
        audio=_AUDIO,
        text="您好",
        voice="vip",
        engine=Engine(name="tone", revision="1", seed=-1),
        timings=Timings(queued=0.1, synthesis=0.2, durable=0.3),
        completed_at=1_700_000_000_000,
    ),
    "speech_failed": SpeechFailed(
        source="shop",
        id="1",
        position=_POSITION,
        code="undecodable",
        message="why",
        original=Original(
            key=None, value=b"\xff\0", headers=[Header(name="h", value=None)], truncated=True, size=2**40
        ),
        failed_at=1_700_000_000_000,
    ),
    "speech_replayed": SpeechReplayed(
        source="shop",
        id="1",
        position=_POSITION,
        run="nightly/1a2b",
        outcome="different",
        reasons=["engine", "template"],
        message="why",
        code=None,
        audio=_AUDIO,
        previous=_AUDIO,
        text="您好",
        voice="vip",
        engine=Engine(name="tone", revision="2", seed=1),
        replayed_at=1_700_000_000_000,
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_record_comes_back_as_it_was(name: str) -> None:
    codec = CODECS[name]
    assert codec.decode(codec.encode(RECORDS[name])) == RECORDS[name]


@given(REQUESTS)
def test_any_request_comes_back(record: SpeechRequest) -> None:
    assert CODECS["speech_request"].decode(CODECS["speech_request"].encode(record)) == record


@given(COMPLETED)
def test_any_completion_comes_back(record: SpeechCompleted) -> None:
    assert CODECS["speech_completed"].decode(CODECS["speech_completed"].encode(record)) == record


@given(FAILED)
def test_any_failure_comes_back(record: SpeechFailed) -> None:
    assert CODECS["speech_failed"].decode(CODECS["speech_failed"].encode(record)) == record


@given(REPLAYED)
def test_any_result_of_a_replay_comes_back(record: SpeechReplayed) -> None:
    assert CODECS["speech_replayed"].decode(CODECS["speech_replayed"].encode(record)) == record


@given(REQUESTS | REPLAYED)
def test_a_record_is_told_from_null_as_fastavro_would(record: SpeechRequest | SpeechReplayed) -> None:
    codec = CODECS["speech_request" if isinstance(record, SpeechRequest) else "speech_replayed"]
    fields = msgspec.to_builtins(record, builtin_types=(bytes,))
    assert codec.encode(record) == written(codec.current, fields)


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_are_an_avro_single_object(name: str) -> None:
    data = CODECS[name].encode(RECORDS[name])
    schema = schemas.current(name)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    assert data[:2] == b"\xc3\x01"
    assert data[2:10] == bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    assert data[2:10] == crc_64_avro(canonical.encode()).to_bytes(8, "little")
    read = fastavro.schemaless_reader(BytesIO(data[10:]), schemas.plain(schema), None)
    assert read == msgspec.to_builtins(RECORDS[name], builtin_types=(bytes,))


def crc_64_avro(data: bytes) -> int:
    """The 64-bit Rabin fingerprint, bit by bit, as the specification defines it."""
    empty = 0xC15D213AA4D7A795
    value = empty
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (empty if value & 1 else 0)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_every_version_ever_written_is_read(name: str) -> None:
    """A record of each version, its newer fields at their defaults."""
    for schema in schemas.history(name):
        known = {field["name"] for field in schema["fields"]}
        fields = msgspec.to_builtins(RECORDS[name], builtin_types=(bytes,))
        read = CODECS[name].decode(written(schema, {key: fields[key] for key in known}))
        assert read == msgspec.convert({key: fields[key] for key in known}, type(RECORDS[name]))


@pytest.mark.parametrize("name", NAMES)
def test_a_version_from_before_a_field_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field that has a default could have been added later; together, too."""
    current = schemas.current(name)
    added = [field["name"] for field in current["fields"] if "default" in field]
    assert added
    fields = msgspec.to_builtins(RECORDS[name], builtin_types=(bytes,))
    for missing in [{one} for one in added] + [set(added)]:
        older = {**current, "fields": [field for field in current["fields"] if field["name"] not in missing]}
        with monkeypatch.context() as patch:
            patch.setattr(schemas, "history", lambda _, older=older: (older, current))
            codec: avro.AvroCodec[Any] = avro.AvroCodec(name, type(RECORDS[name]))
        kept = {key: value for key, value in fields.items() if key not in missing}
        assert codec.decode(written(older, kept)) == msgspec.convert(kept, type(RECORDS[name]))
        assert codec.decode(codec.encode(RECORDS[name])) == RECORDS[name]


def written(schema: dict[str, Any], fields: dict[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schemas.plain(schema)), fields)
    return b"\xc3\x01" + schemas.fingerprint(schema) + out.getvalue()


def reason(name: str, data: bytes | None) -> str:
    with pytest.raises(RequestFailed) as raised:
        CODECS[name].decode(data)
    assert raised.value.code == "undecodable"
    return raised.value.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b'{"text": "hi"}', "looks like JSON"),
        (b"[1]", "looks like JSON"),
        (b"\x00\x00\x00\x00\x01abc", "Confluent wire format"),
        (b"hello", "starts with 68 65 6c 6c"),
        (b"\xc3", "starts with c3"),
        (b"\xc3\x02abc", "starts with c3 02"),
        (b"\xc3\x01", "unknown schema fingerprint"),
        (b"\xc3\x01" + bytes(8) + b"body", "unknown schema fingerprint 0000000000000000"),
    ],
)
def test_what_is_no_record_is_named(name: str, data: bytes | None, expected: str) -> None:
    assert expected in reason(name, data)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_of_another_schema_is_unknown(name: str) -> None:
    for other in NAMES:
        if other != name:
            assert "unknown schema fingerprint" in reason(name, CODECS[other].encode(RECORDS[other]))


@pytest.mark.parametrize("name", NAMES)
def test_a_record_cut_anywhere_is_an_error(name: str) -> None:
    data = CODECS[name].encode(RECORDS[name])
    for length in range(len(data)):
        reason(name, data[:length])


@pytest.mark.parametrize("name", NAMES)
def test_bytes_after_the_record_are_an_error(name: str) -> None:
    data = CODECS[name].encode(RECORDS[name])
    assert "1 bytes follow" in reason(name, data + b"\0")
    assert f"{len(data)} bytes follow" in reason(name, data + data)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_bytes_raise_anything_else(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    head = codec.encode(RECORDS[name])[:10]
    body = data.draw(st.binary(max_size=200) | st.binary(max_size=60).map(head.__add__))
    try:
        codec.decode(body)
    except RequestFailed as error:
        assert error.code == "undecodable"


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_flipped_byte_raises_anything_else(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    body = bytearray(codec.encode(RECORDS[name]))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=4)):
        body[place] = data.draw(st.integers(0, 255))
    try:
        codec.decode(bytes(body))
    except RequestFailed as error:
        assert error.code == "undecodable"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x80\x80\x10"])
def test_a_length_beyond_all_memory_is_an_error(name: str, count: bytes) -> None:
    head = CODECS[name].encode(RECORDS[name])[:10]
    reason(name, head + count)


def test_text_that_is_no_utf8_is_an_error() -> None:
    data = CODECS["speech_request"].encode(SpeechRequest(source="shop"))
    assert b"shop" in data
    reason("speech_request", data.replace(b"shop", b"\xff\xfe\xff\xff"))
