from __future__ import annotations

import uuid

import pytest

from streamer.identity import Identity, derived_id, fingerprint, raw_fingerprint
from streamer.kafka.base import Headers
from streamer.records import FOLLOWS, ORIGIN, TRACEPARENT, SpeechRequest
from streamer.worker.task import Task
from tests.worker.builders import PARTITION, TOPIC_ID, encoded, reader, record, tenure

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read(value: bytes | None, offset: int = 5, headers: Headers = ()) -> Task:
    return reader().read(tenure(), record(value, offset, headers))


def test_a_plain_record() -> None:
    made = read(encoded("a", "hello", expires_at=9))
    assert made.claim.identity == Identity("shop", "a")
    assert made.claim.generation == 1
    assert made.claim.fingerprint == fingerprint(SpeechRequest(source="shop", id="a", text="hello"))
    assert made.claim.expires_at == 9
    owner = made.claim.owner
    assert (owner.cluster, owner.topic, owner.partition, owner.offset) == ("cluster", str(TOPIC_ID), 0, 5)
    assert made.failure is None
    assert made.generation_problem == ""


def test_a_missing_id_comes_from_the_position() -> None:
    assert read(encoded("")).claim.identity == Identity("shop", derived_id(TOPIC_ID, PARTITION.number, 5))
    assert read(encoded(""), 6).claim.identity.id == str(uuid.uuid5(TOPIC_ID, "0/6"))


def test_a_redrive_keeps_the_id_that_came_from_its_first_position() -> None:
    first = read(encoded(""))
    again = read(encoded(""), 9, ((FOLLOWS, b"1"), (ORIGIN, b"0/5")))
    assert again.claim.identity == first.claim.identity
    assert again.claim.generation == 2
    assert again.claim.owner.offset == 9


def test_a_redrive_of_a_redrive() -> None:
    assert read(encoded(), headers=((FOLLOWS, b"2"), (ORIGIN, b"3/14"))).claim.generation == 3


def test_an_origin_alone_gives_a_missing_id_and_leaves_it_a_plain_record() -> None:
    first = read(encoded(""))
    again = read(encoded(""), 9, ((ORIGIN, b"0/5"),))
    assert again.claim.identity == first.claim.identity
    assert (again.claim.generation, again.claim.owner.offset, again.generation_problem) == (1, 9, "")


def test_what_is_told_apart_from_a_task_is_the_same() -> None:
    made = record(encoded(""), 9, ((FOLLOWS, b"2"), (ORIGIN, b"x")))
    task, told = reader().read(tenure(), made), reader().identify(made)
    assert (told.claim, told.request, told.failure) == (task.claim, task.request, task.failure)
    assert told.problem == task.generation_problem != ""


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"one", b"1.0", "²".encode(), b"9999999"])
def test_a_generation_that_is_none_is_the_records_problem(value: bytes) -> None:
    made = read(encoded(), headers=((FOLLOWS, value),))
    assert made.claim.generation == 1
    assert FOLLOWS in made.generation_problem


@pytest.mark.parametrize("value", [b"", b"5", b"0/", b"/5", b"0/5/6", b"-1/5", b"a/b"])
def test_an_origin_that_is_none_is_the_records_problem(value: bytes) -> None:
    made = read(encoded(""), headers=((FOLLOWS, b"1"), (ORIGIN, value)))
    assert ORIGIN in made.generation_problem


@pytest.mark.parametrize(
    "headers", [((FOLLOWS, b"1" * 5000),), ((FOLLOWS, b"1"), (ORIGIN, b"0/" + b"5" * 5000))], ids=[FOLLOWS, ORIGIN]
)
def test_a_header_of_many_digits_is_the_records_problem(headers: Headers) -> None:
    assert "redrive" in read(encoded(), headers=headers).generation_problem


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01", b"{}", encoded()[:-1], encoded() + b"x"])
def test_what_cannot_be_decoded_is_known_by_its_bytes(value: bytes | None) -> None:
    made = read(value)
    assert made.request is None
    assert made.failure is not None
    assert made.failure.code == "undecodable"
    assert made.claim.identity == Identity("", derived_id(TOPIC_ID, 0, 5))
    assert made.claim.fingerprint == raw_fingerprint(value)
    assert made.cost == 1


def test_a_request_against_the_rules_keeps_its_identity() -> None:
    made = read(encoded("a", " "))
    assert made.claim.identity == Identity("shop", "a")
    assert made.failure is not None
    assert made.failure.code == "text_empty"


def test_the_trace_of_its_traceparent() -> None:
    assert read(encoded(), headers=((TRACEPARENT, TRACE),)).trace_id == "0af7651916cd43dd8448eb211c80319c"
    for bad in (b"", b"\xff\xff", b"00-short-b7ad6b7169203331-01"):
        assert read(encoded(), headers=((TRACEPARENT, bad),)).trace_id == ""
    assert read(encoded()).trace_id == ""


def test_the_cost_grows_with_the_text() -> None:
    assert read(encoded(text="hello " * 100)).cost > read(encoded(text="hello")).cost > 0
