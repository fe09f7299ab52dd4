"""What no worker can speak ends on tts.failed, says why, and holds nothing up: a real Kafka, a running worker."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest

from streamer.identity import derived_id
from streamer.kafka.base import Headers, Message
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.records import FOLLOWS, ORIGIN, TASK_ID, TRACEPARENT, Event, SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.wire import avro
from tests.faults.cluster import Deployment, Read, until
from tests.faults.promise import check_audio

pytestmark = pytest.mark.broker

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
GOOD = SpeechRequest(source="shop", id="x", text="hello")


def changed(**fields: object) -> bytes:
    """A good request but for `fields`, under an id of its own."""
    return avro.requests().encode(msgspec.structs.replace(GOOD, **{"id": secrets.token_hex(8)} | fields))


def following(header: bytes) -> Headers:
    return ((FOLLOWS, header),)


class Bad(NamedTuple):
    """A record, and how it must end."""

    value: bytes | None
    code: str
    words: tuple[str, ...]
    """All of them stand in the message: what is wrong, and what to do instead."""
    headers: Headers = ()


RECORDS = {
    "no Avro": Bad(b"hello", "undecodable", ("not an Avro single object", "expected c3 01")),
    "JSON": Bad(json.dumps({"text": "hello"}).encode(), "undecodable", ("looks like JSON", "bridge")),
    "nothing": Bad(b"", "undecodable", ("no value", "SpeechRequest")),
    "null": Bad(None, "undecodable", ("no value", "SpeechRequest")),
    "another schema": Bad(
        b"\xc3\x01" + b"\xff" * 8 + changed()[10:],
        "undecodable",
        ("unknown schema fingerprint ffff", "schemas/history"),
    ),
    "Confluent wire format": Bad(
        b"\x00" + struct.pack(">I", 7) + changed()[10:], "undecodable", ("Confluent wire format", "C3 01")
    ),
    "cut": Bad(changed()[:14], "undecodable", ("not a SpeechRequest",)),
    "more than a record": Bad(changed() + b"more", "undecodable", ("4 bytes follow the SpeechRequest",)),
    "1 MB of text": Bad(changed(text="a" * 1_000_000), "text_too_long", ("text: 1000000", "20000", "engine.max_text")),
    "empty text": Bad(changed(text=""), "text_empty", ("text: is empty", "give words")),
    "white space": Bad(changed(text=" \n "), "text_empty", ("text: is empty", "white space")),
    "no text": Bad(changed(text=None), "invalid_request", ("text: is missing", "give either text or event")),
    "control characters": Bad(
        changed(text="a\x07b"), "invalid_request", ("text: holds the control character U+0007 at position 1", "allowed")
    ),
    "a path for a name": Bad(
        changed(output_name="../../etc/passwd"), "invalid_request", ("output_name: is a path", "plain file name")
    ),
    "no source": Bad(changed(source=""), "invalid_request", ("source: is empty", "name the system")),
    "a long id": Bad(changed(id="i" * 10_000), "invalid_request", ("id: has 10000 characters", "at most 200")),
    "expired": Bad(changed(expires_at=1_000), "expired", ("expires_at 1000",)),
    "an event without a rule": Bad(
        changed(text=None, event=Event(type="order.eaten", data='{"order":"A1"}')),
        "template_error",
        ("there is no rule for 'order.eaten'", "events.file"),
    ),
    "an event that lacks a field": Bad(
        changed(text=None, event=Event(type="order.paid", data='{"amount":5}')),
        "template_error",
        ("data.order_id", "order.paid"),
    ),
    "an event that nobody wants to hear": Bad(
        changed(text=None, event=Event(type="order.paid", data='{"order_id":"A1","amount":0}')),
        "not_wanted",
        ("'order.paid'", "condition"),
    ),
    "a text that fails": Bad(changed(text="[[fail]]"), "synthesis_failed", ("[[fail]]",)),
    "a text that breaks its batch": Bad(changed(text="[[raise]]"), "synthesis_failed", ("[[raise]]",)),
    "a text that is spoken as silence": Bad(
        changed(text="[[silent]]", seed=5), "speech_rejected", ("silent", "at least 0.01", "seed 6")
    ),
    "unknown voice": Bad(changed(voice="nobody"), "voice_unknown", ("voice: no preset 'nobody'", "known: support")),
    "a garbage streamer-follows": Bad(
        changed(), "id_conflict", ("header streamer-follows: b'garbage'", "redrive"), following(b"garbage")
    ),
    "an enormous streamer-follows": Bad(
        changed(), "id_conflict", ("header streamer-follows:", "redrive"), following(b"9" * 5_000)
    ),
    "streamer-follows of nothing": Bad(
        changed(), "id_conflict", ("streamer-follows: generation 1 of this id was never decided",), following(b"1")
    ),
    "an enormous streamer-origin": Bad(
        changed(), "id_conflict", ("header streamer-origin:", "redrive"), ((ORIGIN, b"1/" + b"9" * 5_000),)
    ),
    "a garbage streamer-origin": Bad(
        changed(), "id_conflict", ("header streamer-origin: b'garbage'", "redrive"), ((ORIGIN, b"garbage"),)
    ),
}


class Running(NamedTuple):
    deployment: Deployment

    def send(self, name: str, bad: Message, good: SpeechRequest = GOOD) -> tuple[list[Read], SpeechCompleted]:
        """A record, a good one behind it in its partition, and what became of both."""
        good = msgspec.structs.replace(good, id=f"behind {name}")
        deployment = self.deployment
        big = deployment.kafka.model_copy(
            update={"properties": {"compression.type": "gzip", "message.max.bytes": 50_000_000}}
        )
        # One after the other, on one partition: together they may not fit into one batch.
        deployment.publish([bad], ConfluentBroker(big, logger("error")).publisher())
        deployment.publish([deployment.message(good, bad.partition)])
        until(deployment.finished, f"{name} and what is behind it", 60)
        results = deployment.results()
        behind = [read.result for read in results if read.result.id == good.id]
        assert len(behind) == 1
        assert isinstance(behind[0], SpeechCompleted)
        check_audio(behind[0], deployment.opened_store())
        position = behind[0].position
        before = (position.topic, position.partition, position.offset - 1)
        return [read for read in results if tuple(msgspec.structs.astuple(read.result.position)) == before], behind[0]


@pytest.fixture(scope="module")
def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bad")
    with Deployment(kafka, folder, f"bad-{secrets.token_hex(4)}-") as deployment:
        deployment.topics()
        worker = deployment.worker("a").ready()
        yield Running(deployment)
        assert worker.terminate() == 0
        assert "a worker died, restarting" not in worker.journal.text()


def failure(reads: list[Read]) -> tuple[SpeechFailed, Read]:
    assert len(reads) == 1
    failed = reads[0].result
    assert isinstance(failed, SpeechFailed), failed
    return failed, reads[0]


@pytest.mark.parametrize("name", RECORDS)
def test_a_bad_record_fails_and_the_partition_moves_on(running: Running, name: str) -> None:
    bad = RECORDS[name]
    key = f"key of {name}".encode()
    topic = running.deployment.kafka.topics.requests
    headers = (*bad.headers, (TRACEPARENT, TRACE.encode()))
    message = Message(topic=topic, key=key, value=bad.value, headers=headers, partition=1)
    failed, read = failure(running.send(name, message)[0])
    assert failed.code == bad.code
    for word in bad.words:
        assert word in failed.message
    original = failed.original
    assert (original.key, original.value, original.truncated) == (key, bad.value, False)
    assert original.size == len(bad.value or b"")
    assert [(header.name, header.value) for header in original.headers] == list(headers)
    assert failed.id != ""
    assert dict(read.record.headers) == {TASK_ID: failed.id[:200].encode(), TRACEPARENT: TRACE.encode()}


ENORMOUS = {
    "4.5 MB of text": (changed(text="a" * 4_500_000), b"key", "text_too_long"),
    "4.5 MB of nothing known": (b"a" * 4_500_000, b"key", "undecodable"),
    "an id of 4.5 MB": (changed(id="i" * 4_500_000), b"key", "invalid_request"),
    "a key of 4.5 MB": (changed(text=""), b"k" * 4_500_000, "text_empty"),
    "key and value of 4.5 MB": (b"a" * 4_500_000, b"k" * 4_500_000, "undecodable"),
}


@pytest.mark.parametrize("name", ENORMOUS)
def test_an_original_above_the_limit_is_cut_and_found_by_its_position(running: Running, name: str) -> None:
    """Sent compressed, a request may be larger than any message of its topic."""
    value, key, code = ENORMOUS[name]
    topic = running.deployment.kafka.topics.requests
    reads, behind = running.send(name, Message(topic=topic, key=key, value=value, partition=2))
    failed, _ = failure(reads)
    assert failed.code == code
    original = failed.original
    assert original.truncated
    assert original.size == len(value)
    assert original.value is not None
    assert value.startswith(original.value)
    assert original.key is not None
    assert key.startswith(original.key)
    position = failed.position
    assert (position.partition, position.offset) == (2, behind.position.offset - 1)
    [record] = [
        record
        for record in running.deployment.records(topic)
        if (record.partition.number, record.offset) == (position.partition, position.offset)
    ]
    assert (record.key, record.value) == (key, value)


def test_a_record_without_an_id_gets_one_of_its_position(running: Running) -> None:
    deployment = running.deployment
    request = msgspec.structs.replace(GOOD, id="")
    reads, behind = running.send("no id", deployment.message(request, 0))
    assert len(reads) == 1
    done = reads[0].result
    assert isinstance(done, SpeechCompleted)
    name = deployment.kafka.topics.requests
    topic = deployment.admin.topics([name], 10.0)[name]
    assert topic is not None
    assert done.id == derived_id(topic.id, 0, behind.position.offset - 1)
    check_audio(done, deployment.opened_store())


def test_the_trace_of_a_request_is_the_trace_of_its_completion(running: Running) -> None:
    deployment = running.deployment
    request = msgspec.structs.replace(GOOD, id="traced", metadata={"order": "A1"}, output_name="greeting.wav")
    reads, _ = running.send("traced", deployment.message(request, 0, ((TRACEPARENT, TRACE.encode()),)))
    [read] = reads
    assert dict(read.record.headers) == {TASK_ID: b"traced", TRACEPARENT: TRACE.encode()}
    assert (read.record.key, read.result.metadata, read.result.output_name) == (
        b"shop/traced",
        {"order": "A1"},
        "greeting.wav",
    )


def test_an_enormous_traceparent_is_dropped(running: Running) -> None:
    """Results carry the trace on; their topics would not take it."""
    deployment = running.deployment
    request = msgspec.structs.replace(GOOD, id="enormously traced")
    message = deployment.message(request, 0, ((TRACEPARENT, b"0" * 2_000_000),))
    [read] = running.send("enormously traced", message)[0]
    assert isinstance(read.result, SpeechCompleted)
    assert dict(read.record.headers) == {TASK_ID: b"enormously traced"}


def test_another_request_under_a_known_id_is_a_conflict(running: Running) -> None:
    deployment = running.deployment
    request = msgspec.structs.replace(GOOD, id="taken", expires_at=int(time.time() * 1000) + 3_600_000)
    first, _ = running.send("taken", deployment.message(request, 0))
    assert isinstance(first[0].result, SpeechCompleted)
    other = msgspec.structs.replace(request, text="other words")
    failed, _ = failure(running.send("taken again", deployment.message(other, 2))[0])
    assert failed.code == "id_conflict"
    assert "id: 'taken' was used for another request" in failed.message
    assert "under a new id" in failed.message
    again, _ = running.send("repeated", deployment.message(request, 1))
    assert again == []


def test_an_event_is_heard(running: Running) -> None:
    deployment = running.deployment
    event = Event(type="order.paid", data='{"order_id":"A1","amount":5,"customer":{"tier":"VIP"}}')
    request = msgspec.structs.replace(GOOD, id="event", text=None, event=event)
    [read] = running.send("event", deployment.message(request, 0))[0]
    assert isinstance(read.result, SpeechCompleted)
    assert read.result.voice == "vip"
    assert "A" in read.result.text
    check_audio(read.result, deployment.opened_store())


def test_speech_that_was_rejected_is_heard_with_the_next_seed(running: Running) -> None:
    deployment = running.deployment
    request = msgspec.structs.replace(GOOD, id="silent", text="[[silent:5]]", seed=5)
    [read] = running.send("silent", deployment.message(request, 0))[0]
    assert isinstance(read.result, SpeechCompleted)
    assert read.result.engine.seed == 6


def test_bad_ones_among_many_harm_nobody_and_are_counted_by_code(running: Running) -> None:
    deployment = running.deployment
    texts = ["[[fail]]", "[[raise]]", "[[silent]]"]
    bad = {f"bad {number}": text for number, text in enumerate(texts * 2)}
    good = {f"good {number}": f"text {number}" for number in range(60)}
    mixed = sorted((bad | good).items(), key=lambda item: hashlib.sha256(item[0].encode()).digest())
    deployment.publish([deployment.message(msgspec.structs.replace(GOOD, id=id_, text=text), 1) for id_, text in mixed])
    until(deployment.finished, "bad ones among many", 60)
    ended = {read.result.id: read.result for read in deployment.results()}
    assert all(isinstance(ended[id_], SpeechCompleted) for id_ in good)
    codes = {"[[fail]]": "synthesis_failed", "[[raise]]": "synthesis_failed", "[[silent]]": "speech_rejected"}
    for id_, text in bad.items():
        result = ended[id_]
        assert isinstance(result, SpeechFailed)
        assert result.code == codes[text]
    done = deployment.run("failed", "--json")
    assert done.returncode == 0, done.stderr
    counts = {group["code"]: group["count"] for group in map(json.loads, done.stdout.splitlines())}
    all_failed = [read.result.code for read in deployment.results() if isinstance(read.result, SpeechFailed)]
    assert counts == {code: all_failed.count(code) for code in set(all_failed)}
