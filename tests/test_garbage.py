"""Every decoder, given whatever: it reads, or refuses in the one way it promises. Seeds are fixed, inputs counted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.bodies import event_from_json, from_json
from streamer.clock import SystemClock
from streamer.errors import RequestFailed, SchemaNotLoaded
from streamer.intake.jsonl import Intake
from streamer.kafka.memory import MemoryCluster
from streamer.submission import Submissions
from streamer.validation import InvalidRequest, problems
from streamer.wire import avro
from streamer.wire.confluent import ConfluentCodec
from tests.wire.records import REQUESTS
from tests.wire.test_confluent import OURS, MemoryRegistry

EXAMPLES = 500
TOPIC = "tts.requests"
seeded = settings(max_examples=EXAMPLES)

PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"text"',
    '"id"',
    '"event"',
    '"data"',
    '"a"',
    "1",
    "1e999",
    "null",
    "-",
    "\\ud800",
]
ALMOST_JSON = st.lists(st.sampled_from(PIECES), max_size=12).map("".join).map(str.encode) | st.binary()


@st.composite
def spoilt(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Good bytes with some replaced, cut off or added."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=3))


def json_lines() -> st.SearchStrategy[bytes]:
    good = st.sampled_from([{"text": "a"}, {"input_text": "a"}, {"event": {"type": "t", "data": {"a": 1.10}}}])
    return ALMOST_JSON | spoilt(good.map(lambda body: json.dumps(body).encode()))


def test_json_is_a_request_or_names_what_is_wrong() -> None:
    counted = 0

    @seeded
    @given(json_lines())
    def holds(data: bytes) -> None:
        nonlocal counted
        for read in (from_json, event_from_json):
            try:
                problems(read(data, "source"))
            except InvalidRequest as error:
                assert error.problems
        counted += 1

    holds()
    assert counted >= EXAMPLES


def test_a_record_is_a_request_or_undecodable() -> None:
    codec = avro.requests()
    registry = MemoryRegistry()
    confluent = ConfluentCodec(codec, registry, SystemClock(), OURS)
    counted = 0

    def holds(decode: Callable[[bytes], object], data: bytes) -> None:
        nonlocal counted
        counted += 1
        try:
            decode(data)
        except SchemaNotLoaded as error:
            confluent.load(error.schema_id)
            holds(decode, data)
        except RequestFailed as error:
            assert error.code == "undecodable"
            assert error.message

    @seeded
    @given(spoilt(REQUESTS.map(codec.encode)) | st.binary())
    def single_object(data: bytes) -> None:
        holds(codec.decode, data)

    @seeded
    @given(spoilt(REQUESTS.map(confluent.encode)) | st.binary().map(b"\0".__add__))
    def framed(data: bytes) -> None:
        holds(confluent.decode, data)

    single_object()
    framed()
    assert counted >= 2 * EXAMPLES


def test_a_line_is_published_or_complained_of() -> None:
    cluster = MemoryCluster(SystemClock())
    cluster.create_topic(TOPIC, 1)
    publisher = cluster.broker().publisher()
    numbers = iter(range(10**9))
    counted = 0

    @seeded
    @given(st.lists(json_lines(), max_size=4))
    def holds(lines: list[bytes]) -> None:
        nonlocal counted
        content = b"\n".join(lines)
        accepted: list[str] = []
        complaints: list[str] = []
        submissions = Submissions(TOPIC, SystemClock(), lambda: str(next(numbers)), os.urandom)
        intake = Intake(publisher, submissions, SystemClock(), accepted=accepted.append, complain=complaints.append)
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            report = intake.run(file)
        told = sum(1 for line in content.split(b"\n") if line.strip())
        assert report.acked + report.refused == told
        assert len(accepted) == report.acked
        assert len(complaints) >= report.refused
        counted += len(lines)

    holds()
    assert counted >= EXAMPLES // 2
    log = cluster.logs(TOPIC)[0]
    for record in log.read(log.low, 10_000)[0]:
        assert problems(avro.requests().decode(record.value)) == []
