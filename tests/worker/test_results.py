from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.kafka.base import Headers, Message
from streamer.records import TASK_ID, TRACEPARENT, Audio, SpeechFailed, Timings
from streamer.store.verdicts import Completed, Failed, Recipe, Verdict
from streamer.worker.results import Results
from streamer.worker.task import Task
from tests.worker.builders import CODECS, encoded, reader, record, tenure

LIMIT = 2 * 1_048_588
"""The smallest max_failed_bytes beside the default max_request_bytes."""
RESULTS = Results(
    CODECS.completed.encode,
    CODECS.failed.encode,
    completed_topic="tts.completed",
    failed_topic="tts.failed",
    max_failed_bytes=LIMIT,
)
COMPLETED = Completed(
    audio=Audio(
        uri="u", format="wav", sample_rate=24_000, frames=24, duration=0.001, bytes=92, sha256="s", pcm_sha256="p"
    ),
    recipe=Recipe(text="spoken", voice="vip", voice_hash="h", engine="e", revision="r", seed=3),
    timings=Timings(queued=1, synthesis=2, durable=3),
)
FAILED = Failed(code="synthesis_failed", message="why", attempts=3)


def read(value: bytes | None, headers: Headers = (), key: bytes | None = b"key") -> Task:
    return reader().read(tenure(), record(value, 5, headers, key=key))


def verdict(task: Task, state: Completed | Failed) -> Verdict:
    claim = task.claim
    return Verdict(
        identity=claim.identity,
        generation=claim.generation,
        owner=claim.owner,
        fingerprint=claim.fingerprint,
        state=state,
        decided_at=1_234,
    )


def message(task: Task, state: Completed | Failed) -> Message:
    emitted = RESULTS.of(task, verdict(task, state)).message
    assert emitted is not None
    return emitted


def failed(task: Task, state: Failed = FAILED) -> SpeechFailed:
    return CODECS.failed.decode(message(task, state).value)


def whole_size(message: Message) -> int:
    headers = sum(len(name.encode()) + len(value or b"") for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def test_a_completion_echoes_its_request() -> None:
    task = read(
        encoded(
            "a",
            "hello",
            metadata={"order": "1"},
            callback="https://shop/done",
            output_name="hello.wav",
            requested_at=17,
        ),
        ((TRACEPARENT, b"trace"),),
    )
    settled = RESULTS.of(task, verdict(task, COMPLETED))
    emitted = message(task, COMPLETED)
    assert (emitted.topic, emitted.key) == ("tts.completed", b"shop/a")
    assert emitted.headers == ((TASK_ID, b"a"), (TRACEPARENT, b"trace"))
    assert (settled.code, settled.task_id) == ("ok", "a")
    completed = CODECS.completed.decode(emitted.value)
    assert (completed.source, completed.id, completed.generation) == ("shop", "a", 1)
    assert (completed.metadata, completed.callback) == ({"order": "1"}, "https://shop/done")
    assert (completed.output_name, completed.requested_at) == ("hello.wav", 17)
    assert (completed.position.topic, completed.position.partition, completed.position.offset) == ("tts.requests", 0, 5)
    assert (completed.audio, completed.timings, completed.completed_at) == (COMPLETED.audio, COMPLETED.timings, 1_234)
    assert (completed.text, completed.voice) == ("spoken", "vip")
    assert (completed.engine.name, completed.engine.revision, completed.engine.seed) == ("e", "r", 3)


def test_a_failure_carries_its_original() -> None:
    headers: Headers = (("x", b"1"), ("x", None), (TRACEPARENT, b"trace"))
    task = read(encoded(metadata={"order": "1"}), headers, key=b"its own")
    emitted = message(task, FAILED)
    assert (emitted.topic, emitted.key) == ("tts.failed", b"shop/a")
    result = failed(task)
    assert (result.code, result.message, result.attempts) == ("synthesis_failed", "why", 3)
    assert (result.retryable, result.failed_at, result.metadata) == (True, 1_234, {"order": "1"})
    original = result.original
    assert (original.key, original.value) == (b"its own", task.record.value)
    assert [(header.name, header.value) for header in original.headers] == list(headers)
    assert (original.truncated, original.size) == (False, len(task.record.value or b""))


def test_what_was_deleted_is_not_repeated() -> None:
    task = read(encoded(text="a secret", metadata={"order": "1"}), ((TRACEPARENT, b"trace"), ("x", b"a secret")))
    result = failed(task, Failed(code="deleted", message="m"))
    assert (result.retryable, result.metadata) == (False, {"order": "1"})
    assert (result.original.key, result.original.value, result.original.headers) == (b"key", None, [])
    assert (result.original.truncated, result.original.size) == (True, len(task.record.value or b""))
    assert b"secret" not in (message(task, Failed(code="deleted", message="m")).value or b"")


@pytest.mark.parametrize("value", [None, b"", b"junk"])
def test_what_could_not_be_decoded_keeps_its_key(value: bytes | None) -> None:
    task = read(value, key=None)
    emitted = message(task, Failed(code="undecodable", message="m"))
    assert emitted.key is None
    assert emitted.headers == ((TASK_ID, task.claim.identity.id.encode()),)
    result = CODECS.failed.decode(emitted.value)
    assert (result.original.value, result.original.key, result.retryable) == (value, None, False)


def test_a_conflict_has_no_verdict() -> None:
    settled = RESULTS.conflict(read(encoded()), "used before", 99)
    assert settled.code == "id_conflict"
    assert settled.message is not None
    result = CODECS.failed.decode(settled.message.value)
    assert (result.code, result.message, result.failed_at) == ("id_conflict", "used before", 99)
    assert not result.retryable


def test_a_duplicate_emits_nothing() -> None:
    settled = RESULTS.duplicate(read(encoded()))
    assert (settled.code, settled.message) == ("duplicate", None)


def test_a_large_original_is_cut_and_marked() -> None:
    value = b"junk" * 1_000_000
    original = failed(read(value)).original
    assert original.truncated
    assert original.size == len(value)
    assert original.value is not None
    assert len(original.value) > LIMIT // 3
    assert value.startswith(original.value)


def test_large_headers_and_keys_are_cut_and_marked() -> None:
    original = failed(read(b"junk", (("big", b"x" * 100_000),), key=b"k" * 100)).original
    assert (original.truncated, original.headers, original.key, original.value) == (True, [], b"k" * 100, b"junk")
    original = failed(read(b"junk", key=b"k" * 100_000)).original
    assert original.truncated
    assert original.key == b"k" * 1000


def test_an_id_of_ten_thousand_characters() -> None:
    task = read(encoded("x" * 10_000))
    result = failed(task, Failed(code="invalid_request", message="id: too long"))
    assert result.id == "x" * 10_000
    assert not result.original.truncated


def test_an_enormous_echo_is_cut() -> None:
    task = read(encoded("x" * 3_000_000, metadata={"m": "y" * 3_000_000}))
    result = failed(task, Failed(code="invalid_request", message="m" * 5_000))
    assert (result.id, result.metadata, len(result.message)) == ("x" * 200, {}, 2_000)
    assert (result.position.offset, result.original.truncated) == (5, True)


SIZES = st.sampled_from([0, 1, 1_000, 60_000, 70_000, 500_000, 1_000_000, 1_100_000, 3_000_000])
CHARACTERS = st.sampled_from(["x", "您", "𝄞"])


@settings(max_examples=60)
@given(st.data())
def test_the_value_of_a_failure_always_fits(data: st.DataObject) -> None:
    def some() -> str:
        return data.draw(CHARACTERS) * data.draw(SIZES)

    value: Any = some().encode()
    if data.draw(st.booleans()):
        value = encoded(some(), some(), metadata={some(): some()}, callback=some(), output_name=some())
    headers = tuple((some()[:70_000], some().encode()) for _ in range(data.draw(st.integers(0, 2))))
    task = read(value, headers, key=some().encode())
    emitted = message(task, Failed(code="undecodable", message=some()))
    assert len(emitted.value or b"") <= LIMIT


POISON = {
    "a large id": lambda: read(encoded("x" * 1_500_000)),
    "a large key": lambda: read(b"junk", key=b"k" * 3_000_000),
    "a large traceparent": lambda: read(b"junk", ((TRACEPARENT, b"x" * 3_000_000),)),
    "many empty headers": lambda: read(b"junk", (("", None),) * 1_500_000),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_the_whole_message_of_a_failure_always_fits(poison: Any) -> None:
    assert whole_size(message(poison(), Failed(code="undecodable", message="m"))) <= LIMIT


def test_a_completion_is_small_whatever_its_trace() -> None:
    task = read(encoded(), ((TRACEPARENT, b"x" * 1_100_000),))
    assert whole_size(message(task, COMPLETED)) < 1_048_588


@pytest.mark.parametrize("name", ["", "x", "𝄞" * 60_000])
def test_the_smallest_limit_holds_whatever_the_headers(name: str) -> None:
    smallest = Results(
        CODECS.completed.encode, CODECS.failed.encode, completed_topic="c", failed_topic="f", max_failed_bytes=262_144
    )
    count = max(1, 120_000 // max(1, len(name)))
    emitted = smallest.conflict(read(b"junk" * 100_000, ((name, None),) * count), "m", 0).message
    assert emitted is not None
    assert whole_size(emitted) <= 262_144


def test_small_limits_keep_a_small_original() -> None:
    small = Results(
        CODECS.completed.encode, CODECS.failed.encode, completed_topic="c", failed_topic="f", max_failed_bytes=60_000
    )
    emitted = small.conflict(read(b"junk" * 10), "m", 0).message
    assert emitted is not None
    assert CODECS.failed.decode(emitted.value).original.value == b"junk" * 10
