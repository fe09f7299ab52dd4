"""What every codec keeps, with a registry and without one."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.clock import ManualClock
from streamer.errors import RequestFailed
from streamer.wire import avro
from streamer.wire.base import Codec, Codecs, R
from streamer.wire.confluent import ConfluentCodec
from tests.wire.test_avro import RECORDS
from tests.wire.test_confluent import MemoryRegistry


def framed(plain: avro.AvroCodec[R]) -> Codec[R]:
    return ConfluentCodec(plain, MemoryRegistry(), ManualClock(), 7)


ALL = {
    "avro": Codecs(avro.requests(), avro.completed(), avro.failed(), avro.replayed()),
    "confluent": Codecs(
        framed(avro.requests()), framed(avro.completed()), framed(avro.failed()), framed(avro.replayed())
    ),
}


@pytest.fixture(params=ALL)
def codecs(request: pytest.FixtureRequest) -> list[tuple[Codec[Any], Any]]:
    """Each codec with a record of its own."""
    return list(zip(ALL[request.param], RECORDS.values(), strict=True))


def undecodable(codec: Codec[Any], data: bytes | None) -> str:
    with pytest.raises(RequestFailed) as failed:
        codec.decode(data)
    assert failed.value.code == "undecodable"
    return failed.value.message


def test_a_record_comes_back_and_its_bytes_are_always_the_same(codecs: list[tuple[Codec[Any], Any]]) -> None:
    for codec, record in codecs:
        assert codec.decode(codec.encode(record)) == record
        assert codec.encode(record) == codec.encode(record)


def test_avro_single_objects_are_read_by_all(codecs: list[tuple[Codec[Any], Any]]) -> None:
    plains: list[Codec[Any]] = [*ALL["avro"]]
    for (codec, record), plain in zip(codecs, plains, strict=True):
        assert codec.decode(plain.encode(record)) == record


def test_what_is_none_is_undecodable(codecs: list[tuple[Codec[Any], Any]]) -> None:
    for codec, _ in codecs:
        assert "no value" in undecodable(codec, None)
        assert "no value" in undecodable(codec, b"")
        assert "looks like JSON" in undecodable(codec, b"{}")
        assert "unknown schema fingerprint" in undecodable(codec, b"\xc3\x01" + bytes(8))


def test_cut_or_followed_by_more_is_undecodable(codecs: list[tuple[Codec[Any], Any]]) -> None:
    for codec, record in codecs:
        data = codec.encode(record)
        for end in range(5, len(data)):
            undecodable(codec, data[:end])
        assert "bytes follow" in undecodable(codec, data + b"\0")


def test_what_is_known_needs_no_question(codecs: list[tuple[Codec[Any], Any]]) -> None:
    for codec, record in codecs:
        codec.load(7)
        assert codec.decode(codec.encode(record)) == record
