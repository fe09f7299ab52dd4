"""Registering and fetching, on a real registry."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamer.clock import SystemClock
from streamer.errors import ConfigurationError, RegistryUnavailable, RequestFailed, SchemaNotLoaded
from streamer.records import SpeechRequest
from streamer.settings import Kafka, SchemaRegistry, Settings, Topics
from streamer.wire import schemas
from streamer.wire.base import Codec, Codecs
from streamer.wire.opening import Topic, open_codecs
from streamer.wire.registry import Registry
from tests.wire.apicurio import Apicurio
from tests.wire.test_avro import RECORDS

REQUEST = RECORDS["speech_request"]
# Their default first asks the registry for an association of the topic; Apicurio was seen not to answer that.
SUBJECTS = {"subject.name.strategy": topic_subject_name_strategy}
INCOMPATIBLE = {
    "type": "record",
    "name": "SpeechRequest",
    "namespace": "streamer",
    "fields": [{"name": "source", "type": "long"}],
}


class Place:
    """Topics and subjects of the test's own."""

    def __init__(self, apicurio: Apicurio, unique: Callable[[str], str]) -> None:
        self.apicurio = apicurio
        self.topics = Topics(**{name: unique(name) for name in ("requests", "completed", "failed", "replayed")})
        self.subject = f"{self.topics.requests}-value"

    def settings(self, url: str | None = None, **properties: str) -> Settings:
        registry = SchemaRegistry(url=url or self.apicurio.url, timeout=5.0, properties=dict(properties))
        return Settings(schema_registry=registry, kafka=Kafka(topics=self.topics))

    def codecs(self, *writes: Topic) -> Codecs:
        return open_codecs(self.settings(), SystemClock(), *writes)

    @contextmanager
    def client(self) -> Iterator[SchemaRegistryClient]:
        with SchemaRegistryClient({"url": self.apicurio.url, "timeout": 10}) as client:
            yield client

    def register(self, schema: Any, subject: str | None = None) -> int:
        with self.client() as client:
            return int(client.register_schema(subject or self.subject, Schema(json.dumps(schema), "AVRO")))


@pytest.fixture
def place(apicurio: Apicurio, unique: Callable[[str], str]) -> Place:
    return Place(apicurio, unique)


def load(codec: Codec[Any], data: bytes) -> Any:
    with pytest.raises(SchemaNotLoaded) as missing:
        codec.decode(data)
    codec.load(missing.value.schema_id)
    return codec.decode(data)


def test_what_one_writes_another_reads(place: Place) -> None:
    writing, reading = place.codecs("requests", "completed", "failed", "replayed"), place.codecs()
    pairs: list[tuple[Codec[Any], Codec[Any]]] = list(zip(writing, reading, strict=True))
    for (writer, reader), record in zip(pairs, RECORDS.values(), strict=True):
        assert load(reader, writer.encode(record)) == record


def test_the_subject_is_named_by_the_topic_and_registered_once(place: Place) -> None:
    first = place.codecs("requests").requests.encode(REQUEST)  # type: ignore[arg-type]
    assert place.codecs("requests").requests.encode(REQUEST) == first  # type: ignore[arg-type]
    with place.client() as client:
        assert client.get_versions(place.subject) == [1]
        registered = client.get_latest_version(place.subject)
        assert registered.schema.schema_str is not None
        assert json.loads(registered.schema.schema_str) == schemas.current("speech_request")
        assert int.from_bytes(first[1:5], "big") == registered.schema_id
        assert f"{place.topics.completed}-value" not in client.get_subjects()


def test_a_registry_that_checks_nothing_is_told_to_check_what_we_register(place: Place) -> None:
    with place.client() as client:
        assert client.get_compatibility() == "NONE"  # Apicurio's default, or this test proves nothing
        place.codecs("requests")
        assert client.get_compatibility(place.subject) == "BACKWARD_TRANSITIVE"
    with pytest.raises(Exception, match="409"):
        place.register(INCOMPATIBLE)


def test_an_incompatible_schema_is_refused_with_the_registrys_reason(place: Place) -> None:
    place.register(INCOMPATIBLE)
    with place.client() as client:
        client.set_compatibility(place.subject, "BACKWARD")
    with pytest.raises(ConfigurationError) as refused:
        place.codecs("requests")
    [problem] = refused.value.problems
    assert f"subject {place.subject}" in problem
    assert "reader type: STRING not compatible with writer type: LONG" in problem
    assert "kafka.topics" in problem
    place.codecs("completed")


def test_a_plain_avro_serializer_is_understood_and_understands(place: Place) -> None:
    """Both directions, with confluent-kafka alone on the other side."""
    other = {
        "type": "record",
        "name": "SpeechRequest",
        "namespace": "com.acme",
        "fields": [
            {"name": "source", "type": "string"},
            {"name": "id", "type": "string"},
            {"name": "text", "type": "string"},
            {"name": "basket", "type": "double", "default": 0.0},
        ],
    }
    context = SerializationContext(place.topics.requests, MessageField.VALUE)
    with place.client() as client:
        data = AvroSerializer(client, json.dumps(other), conf=SUBJECTS)(
            {"source": "shop", "id": "1", "text": "您好", "basket": 9.5}, context
        )
        assert load(place.codecs().requests, data) == SpeechRequest(source="shop", id="1", text="您好")
        ours = place.codecs("completed").completed.encode(RECORDS["speech_completed"])  # type: ignore[arg-type]
        read = AvroDeserializer(client, conf=SUBJECTS)(
            ours, SerializationContext(place.topics.completed, MessageField.VALUE)
        )
    assert read is not None
    assert (read["text"], read["audio"]["sample_rate"], read["completed_at"].year) == ("您好", 24_000, 2023)


def test_a_schema_that_refers_to_another_is_read(place: Place, unique: Callable[[str], str]) -> None:
    event = {
        "type": "record",
        "name": "Event",
        "namespace": "com.acme",
        "fields": [{"name": "type", "type": "string"}, {"name": "data", "type": "string"}],
    }
    outer = {
        "type": "record",
        "name": "SpeechRequest",
        "namespace": "com.acme",
        "fields": [{"name": "source", "type": "string"}, {"name": "event", "type": "com.acme.Event"}],
    }
    part = unique("event")
    place.register(event, part)
    with place.client() as client:
        schema = Schema(json.dumps(outer), "AVRO", [SchemaReference("com.acme.Event", part, 1)])
        schema_id = int(client.register_schema(place.subject, schema))
    data = b"\0" + schema_id.to_bytes(4, "big") + b"\x02s\x02t\x04{}"
    read = load(place.codecs().requests, data)
    assert (read.source, read.event.type, read.event.data) == ("s", "t", "{}")


def test_a_number_that_nobody_registered_is_undecodable(place: Place) -> None:
    codec = place.codecs().requests
    with pytest.raises(RequestFailed) as failed:
        load(codec, b"\0\x7f\0\0\0abc")
    assert failed.value.code == "undecodable"
    assert f"no schema {0x7F000000} of {place.apicurio.url}" in failed.value.message


def test_killed_and_restarted(place: Place) -> None:
    codec = place.codecs("requests").requests
    later = place.codecs("completed").completed.encode(RECORDS["speech_completed"])  # type: ignore[arg-type]
    reader = place.codecs().completed
    place.apicurio.kill()
    known = codec.encode(REQUEST)  # type: ignore[arg-type]
    assert codec.decode(known) == REQUEST
    for _ in range(2):
        with pytest.raises(SchemaNotLoaded) as missing:
            reader.decode(later)
        with pytest.raises(RegistryUnavailable, match="no Schema Registry answers at http://127"):
            reader.load(missing.value.schema_id)
    with pytest.raises(RegistryUnavailable, match=r"start it, or set schema_registry\.url"):
        place.codecs("requests")
    place.apicurio.start()
    assert load(reader, later) == RECORDS["speech_completed"]


@contextmanager
def answering(status: int, body: bytes = b"{}") -> Iterator[str]:
    """A server that answers everything alike, and its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing on standard error."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "does not let us read or register subject tts.requests-value (401"),
        (403, "does not let us read or register subject tts.requests-value (403"),
        (404, "the URL ends where its API begins"),
        (422, "does not take our schema"),
    ],
)
def test_answers_that_stay_the_same_stop_the_start(status: int, expected: str) -> None:
    with answering(status, b'{"error_code": %d, "message": "no"}' % status) as url:
        secret = url.replace("//", "//user:secret@")
        settings = Settings(schema_registry=SchemaRegistry(url=secret))
        with pytest.raises(ConfigurationError) as refused:
            open_codecs(settings, SystemClock(), "requests")
        [problem] = refused.value.problems
        assert expected in problem
        assert url in problem
        assert "secret" not in problem


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, b"{}") for status in (200, 401, 403, 429, 500, 503)),
        *((404, body) for body in (b"<html>", b'{"error_code": 404}')),
        *((200, body) for body in (b"<html>", b"[]", b'{"schema": 7}')),
    ],
)
def test_a_failing_registry_never_makes_a_record_undecodable(status: int, body: bytes) -> None:
    with answering(status, body) as url:
        registry = Registry(SchemaRegistry(url=url))
        with pytest.raises(RegistryUnavailable, match=url):
            registry.schema(7)


def test_a_registry_that_hangs_is_given_up_in_time() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clock = SystemClock()
        began = clock.monotonic()
        with pytest.raises(RegistryUnavailable, match="Timeout"):
            Registry(SchemaRegistry(url=url, timeout=0.3)).schema(7)
        assert 0.3 <= clock.monotonic() - began < 5


@pytest.mark.parametrize(
    ("url", "properties", "expected"),
    [
        ("ftp://x", {}, "Invalid url ftp://x"),
        ("http://x", {"bogus": "1"}, "Unrecognized properties: bogus"),
        ("http://x", {"basic.auth.user.info": "nocolon"}, "must be in the form"),
        ("https://x", {"ssl.ca.location": "/nowhere.pem"}, "No such file"),
    ],
)
def test_wrong_properties_are_named(url: str, properties: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Registry(SchemaRegistry(url=url, properties=properties))
    assert "schema_registry" in refused.value.problems[0]
    assert expected in refused.value.problems[0]


def test_a_missing_extra_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka.schema_registry", None)
    monkeypatch.delattr("confluent_kafka.schema_registry", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'streamer\[registry\]'"):
        Registry(SchemaRegistry(url="http://x"))
