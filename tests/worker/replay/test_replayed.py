from __future__ import annotations

import pytest

from streamer.errors import RequestFailed
from streamer.kafka.base import Message
from streamer.records import TASK_ID, FailureCode, Outcome, SpeechReplayed
from streamer.worker.ledger import Settled
from streamer.worker.replay.causes import Cause, Reason
from streamer.worker.replay.replayed import Ended, Replayed
from streamer.worker.task import Task
from tests.worker.builders import CODECS, encoded, reader, record, tenure
from tests.worker.replay.test_causes import BEFORE

LIMIT = 1_048_588
REPLAYED = Replayed(CODECS.replayed.encode, "tts.replayed", "nightly/2", LIMIT)


def read(value: bytes | None, key: bytes | None = b"key") -> Task:
    return reader().read(tenure(), record(value, 5, key=key))


def message(settled: Settled) -> Message:
    assert settled.message is not None
    return settled.message


def said(task: Task, ended: Ended) -> SpeechReplayed:
    return CODECS.replayed.decode(message(REPLAYED.of(task, ended, 77)).value)


def test_a_promoted_one_says_all() -> None:
    task = read(encoded("a", metadata={"order": "1"}, requested_at=17))
    ended = Ended(
        outcome=Outcome.PROMOTED,
        generation=3,
        made=BEFORE,
        previous=BEFORE.audio,
        causes=[Cause(Reason.ENGINE, "engine: a → b"), Cause(Reason.TEXT, "text: c → d")],
        decided_at=55,
    )
    settled = REPLAYED.of(task, ended, 77)
    assert (settled.task_id, settled.code) == ("a", "promoted")
    emitted = message(settled)
    assert (emitted.topic, emitted.key, emitted.headers) == ("tts.replayed", b"shop/a", ((TASK_ID, b"a"),))
    one = said(task, ended)
    assert (one.run, one.outcome, one.generation, one.replayed_at) == ("nightly/2", "promoted", 3, 55)
    assert (one.reasons, one.message) == (["engine", "text"], "engine: a → b; text: c → d")
    assert (one.audio, one.previous, one.text, one.voice) == (BEFORE.audio, BEFORE.audio, "hello", "plain")
    assert one.engine is not None
    assert (one.engine.name, one.engine.revision, one.engine.seed) == ("tone", "2", 1)
    assert (one.metadata, one.requested_at, one.position.offset, one.code) == ({"order": "1"}, 17, 5, None)


def test_a_failure_has_its_code() -> None:
    failure = RequestFailed(FailureCode.TEMPLATE_ERROR, "why")
    one = said(read(encoded()), Ended(outcome=Outcome.FAILED, generation=1, failure=failure, previous=BEFORE.audio))
    assert (one.code, one.message, one.reasons, one.audio, one.text) == ("template_error", "why", [], None, None)
    assert (one.previous, one.replayed_at) == (BEFORE.audio, 77)


@pytest.mark.parametrize("key", [None, b"", b"its own"])
def test_what_cannot_be_decoded_keeps_its_key(key: bytes | None) -> None:
    ended = Ended(outcome=Outcome.SKIPPED, generation=1, causes=[Cause(Reason.UNDECODABLE, "m")])
    assert message(REPLAYED.of(read(b"junk", key), ended, 0)).key == key


def test_an_enormous_request_is_cut() -> None:
    task = read(encoded("x" * 3_000_000, metadata={"m": "y" * 3_000_000}))
    ended = Ended(outcome=Outcome.SKIPPED, generation=1, causes=[Cause(Reason.FAILED, "m" * 5_000)])
    one = said(task, ended)
    assert (one.id, one.metadata, len(one.message), one.reasons) == ("x" * 200, {}, 2_000, ["failed"])
    assert one.position.offset == 5
    assert len(message(REPLAYED.of(task, ended, 0)).value or b"") < LIMIT - 64 * 1024
