from __future__ import annotations

import pytest

from streamer.kafka.base import Headers
from streamer.records import TASK_ID, TRACEPARENT, SpeechReplayed
from streamer.worker.echo import echo, message, shortened
from streamer.worker.task import Task
from tests.worker.builders import TOPIC, encoded, reader, record, tenure


def read(value: bytes | None, key: bytes | None = b"key", headers: Headers = ()) -> Task:
    return reader().read(tenure(), record(value, 5, headers, key=key))


def test_a_request_is_repeated_field_by_field() -> None:
    fields = echo(read(encoded("a", metadata={"m": "1"}, callback="c", output_name="o", requested_at=17)))
    position = fields.pop("position")
    assert (position.topic, position.partition, position.offset) == (TOPIC, 0, 5)
    assert fields == {
        "source": "shop",
        "id": "a",
        "generation": 1,
        "metadata": {"m": "1"},
        "callback": "c",
        "output_name": "o",
        "requested_at": 17,
    }


def test_of_what_could_not_be_decoded_the_position_is_repeated() -> None:
    task = read(b"junk")
    fields = echo(task)
    assert (fields["source"], fields["id"], fields["metadata"]) == ("", task.claim.identity.id, {})
    assert fields["position"].offset == 5


def test_what_only_an_invalid_request_makes_enormous_is_cut() -> None:
    task = read(encoded("x" * 5_000, metadata={"m": "y"}, callback="c", output_name="o"))
    short = shortened(SpeechReplayed(**echo(task), run="r", outcome="skipped", replayed_at=0))
    assert (short.id, short.metadata, short.callback, short.output_name) == ("x" * 200, {}, None, None)
    assert (short.source, short.position.offset) == ("shop", 5)


@pytest.mark.parametrize(
    ("value", "key", "written"),
    [
        (encoded("a"), b"its own", b"shop/a"),
        (b"junk", b"its own", b"its own"),
        (b"junk", None, None),
        (b"junk", b"k" * 3_000, b"k" * 2_000),
        (encoded("x" * 3_000), b"k", b"shop/" + b"x" * 1_995),
    ],
)
def test_the_key_is_the_requests_or_else_the_records(value: bytes, key: bytes | None, written: bytes | None) -> None:
    assert message(read(value, key), "topic", b"value").key == written


def test_the_trace_goes_on() -> None:
    emitted = message(read(encoded("a"), headers=((TRACEPARENT, b"trace"),)), "topic", b"value")
    assert (emitted.topic, emitted.value) == ("topic", b"value")
    assert emitted.headers == ((TASK_ID, b"a"), (TRACEPARENT, b"trace"))
