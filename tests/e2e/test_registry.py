"""A deployment with a Schema Registry: real processes, a real Kafka, a real Apicurio."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamer.clock import SystemClock
from streamer.errors import SchemaNotLoaded
from streamer.kafka.base import Message
from streamer.records import Result, SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.settings import SchemaRegistry, Settings
from streamer.wire.base import Codec
from streamer.wire.opening import open_codecs
from tests.faults.cluster import Deployment, until
from tests.faults.workers import Worker
from tests.wire.apicurio import Apicurio

pytestmark = pytest.mark.broker

# In the subject of the topic, so it has to read what stands there: text may be null.
FOREIGN = {
    "type": "record",
    "name": "SpeechRequest",
    "namespace": "com.acme",
    "fields": [
        {"name": "source", "type": "string"},
        {"name": "id", "type": "string"},
        {"name": "text", "type": ["null", "string"], "default": None},
        {"name": "basket", "type": "double", "default": 0.0},
    ],
}


@pytest.fixture
def deployment(kafka: str, apicurio: Apicurio, tmp_path: Path) -> Iterator[Deployment]:
    prefix = f"registry-{secrets.token_hex(4)}-"
    variables = {"SCHEMA_REGISTRY__URL": apicurio.url, "SCHEMA_REGISTRY__TIMEOUT": "3"}
    with Deployment(kafka, tmp_path, prefix, partitions=1, **variables) as deployment:
        deployment.topics()
        yield deployment


class Foreign:
    """A producer that knows nothing of streamer but a schema of its own, by confluent-kafka's serializer."""

    def __init__(self, deployment: Deployment, client: SchemaRegistryClient) -> None:
        self._context = SerializationContext(deployment.kafka.topics.requests, MessageField.VALUE)
        subjects = {"subject.name.strategy": topic_subject_name_strategy}
        self._serialize = AvroSerializer(client, json.dumps(FOREIGN), conf=subjects)

    def value(self, id_: str) -> bytes:
        fields = {"source": "acme", "id": id_, "text": f"order {id_}", "basket": 9.5}
        value: bytes = self._serialize(fields, self._context)
        return value


@pytest.fixture
def foreign(deployment: Deployment, apicurio: Apicurio) -> Iterator[Foreign]:
    with SchemaRegistryClient({"url": apicurio.url, "timeout": 10}) as client:
        yield Foreign(deployment, client)


def send(deployment: Deployment, *values: bytes) -> None:
    topic = deployment.kafka.topics.requests
    deployment.publish([Message(topic=topic, key=b"k", value=value) for value in values])


def results(deployment: Deployment, apicurio: Apicurio) -> dict[str, Result]:
    """By id, all of them in the Confluent wire format."""
    settings = Settings(schema_registry=SchemaRegistry(url=apicurio.url), kafka=deployment.kafka)
    codecs = open_codecs(settings, SystemClock())
    topics = deployment.kafka.topics
    by_topic: dict[str, Codec[Any]] = {topics.completed: codecs.completed, topics.failed: codecs.failed}
    found: dict[str, Result] = {}
    for topic, codec in by_topic.items():
        for record in deployment.records(topic):
            assert record.value is not None
            assert record.value[:1] == b"\0"
            try:
                result: Result = codec.decode(record.value)
            except SchemaNotLoaded as error:
                codec.load(error.schema_id)
                result = codec.decode(record.value)
            assert result.id not in found
            found[result.id] = result
    return found


def spoken(deployment: Deployment, worker: Worker) -> None:
    until(deployment.finished, "everything is committed")
    assert worker.process.poll() is None, worker.journal.text()[-3000:]


def test_both_formats_and_three_producers_in_one_topic(
    deployment: Deployment, apicurio: Apicurio, foreign: Foreign
) -> None:
    bridge, log = deployment.process("bridge", [sys.executable, "-m", "streamer", "bridge", "--port", "0"])
    worker = deployment.worker("a").ready()
    said = log.with_suffix(".out")
    until(lambda: "ready http://" in said.read_text(), "the bridge is ready")
    single = deployment.message(SpeechRequest(source="shop", id="single", text="an Avro single object"))
    assert single.value is not None
    send(deployment, foreign.value("foreign"), single.value, b"\0\x7f\0\0\0garbage")
    with httpx.Client(base_url=said.read_text().split()[1], timeout=30) as client:
        body = {"source": "shop", "id": "posted", "text": "by webhook"}
        until(lambda: client.post("/webhook/tts", json=body).status_code in (200, 202), "the bridge takes it")
    spoken(deployment, worker)
    found = results(deployment, apicurio)
    texts = {id_: result.text for id_, result in found.items() if isinstance(result, SpeechCompleted)}
    assert texts == {"foreign": "order foreign", "single": "an Avro single object", "posted": "by webhook"}
    [failed] = [result for result in found.values() if isinstance(result, SpeechFailed)]
    assert (failed.code, "there is no schema" in failed.message) == ("undecodable", True)
    first = deployment.records(deployment.kafka.topics.requests)
    assert [record.value[:1] for record in first if record.value].count(b"\0") == 3
    followed = deployment.run("follow", "--from-beginning", "--count", "3")
    assert sorted(json.loads(line)["id"] for line in followed.stdout.splitlines()) == ["foreign", "posted", "single"]
    bridge.terminate()
    assert bridge.wait(60) == 0
    assert worker.terminate() == 0


def test_without_the_registry_known_schemas_go_on_and_unknown_ones_wait(
    deployment: Deployment, apicurio: Apicurio, foreign: Foreign
) -> None:
    worker = deployment.worker("a").ready()
    send(deployment, foreign.value("known-1"))
    spoken(deployment, worker)
    known = foreign.value("known-2")
    # Registered before the registry dies, and never met by the worker.
    other = FOREIGN | {"fields": [*FOREIGN["fields"], {"name": "later", "type": "int", "default": 0}]}
    with SchemaRegistryClient({"url": apicurio.url, "timeout": 10}) as client:
        subject = f"{deployment.kafka.topics.requests}-other"
        number = int(client.register_schema(subject, Schema(json.dumps(other), "AVRO")))
    unknown = b"\0" + number.to_bytes(4, "big") + foreign.value("unknown")[5:] + b"\x02"
    apicurio.kill()
    send(deployment, known)
    spoken(deployment, worker)
    send(deployment, unknown, foreign.value("behind"))
    until(lambda: "no Schema Registry answers" in worker.journal.text(), "the worker says what it waits for")
    assert not deployment.finished()
    apicurio.start()
    spoken(deployment, worker)
    assert set(results(deployment, apicurio)) == {"known-1", "known-2", "unknown", "behind"}
    assert worker.terminate() == 0


def test_a_refused_schema_stops_commands_before_anything_is_made(
    kafka: str, apicurio: Apicurio, tmp_path: Path
) -> None:
    prefix = f"refused-{secrets.token_hex(4)}-"
    with Deployment(kafka, tmp_path, prefix, SCHEMA_REGISTRY__URL=apicurio.url) as deployment:
        requests = deployment.kafka.topics.requests
        with SchemaRegistryClient({"url": apicurio.url, "timeout": 10}) as client:
            taken = {**FOREIGN, "namespace": "streamer", "fields": [{"name": "source", "type": "long"}]}
            client.register_schema(f"{requests}-value", Schema(json.dumps(taken), "AVRO"))
            client.set_compatibility(f"{requests}-value", "BACKWARD")
        done = deployment.run("topics")
        assert done.returncode == 2
        assert f"subject {requests}-value" in done.stderr
        assert "not compatible" in done.stderr
        assert deployment.admin.topics([requests], 10.0) == {requests: None}


def test_a_registry_that_does_not_answer_is_told_with_its_url(kafka: str, tmp_path: Path) -> None:
    prefix = f"gone-{secrets.token_hex(4)}-"
    with Deployment(kafka, tmp_path, prefix, SCHEMA_REGISTRY__URL="http://127.0.0.1:9") as deployment:
        done = deployment.run("submit", "/dev/null")
        assert done.returncode == 1
        assert "no Schema Registry answers at http://127.0.0.1:9" in done.stderr
