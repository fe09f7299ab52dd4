from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from streamer.clock import ManualClock
from streamer.engines.base import Failure, Speech, Synthesizer
from streamer.errors import DeadLetterLimit, StopWorker
from streamer.kafka.base import Headers
from streamer.records import FOLLOWS, ORIGIN, SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.render.events import Events
from streamer.settings import Audio
from streamer.store.attempts import Attempts
from streamer.store.verdicts import Failed, Verdicts
from streamer.voices import Voices
from streamer.wire.base import Codec
from streamer.worker.admission import Admission
from streamer.worker.dead_letters import DeadLetters
from streamer.worker.ledger import Settled
from streamer.worker.parts import Parts
from streamer.worker.pipeline import Pipeline
from streamer.worker.prompts import Prompts
from streamer.worker.synthesis import EngineHost
from streamer.worker.tenure import Tenure
from streamer.worker.utterances import Utterances
from tests.worker.builders import (
    CODECS,
    NO_EVENTS,
    TOPIC_ID,
    VOICES,
    HandPool,
    ScriptedEngine,
    TroubledStore,
    encoded,
    journal,
    reader,
    record,
    service,
    tenure,
)

MAX_TEXT = 100


class Line:
    """A pipeline, and what settled in its ledgers."""

    def __init__(
        self,
        window: int = 50,
        attempts: int = 2,
        events: Events = NO_EVENTS,
        codec: Codec[SpeechRequest] = CODECS.requests,
        clock: ManualClock | None = None,
        engine: Synthesizer | None = None,
        store: TroubledStore | None = None,
        folders: Sequence[Path] = (),
        voices: Voices = VOICES,
    ) -> None:
        self.clock, self.store, self.pool = clock or ManualClock(), store or TroubledStore(), HandPool()
        self.engine = ScriptedEngine(1000)
        speaking = engine or self.engine
        self.host = EngineHost(speaking, self.clock)
        self.tenure = tenure()
        self.pipeline = Pipeline(
            Parts(
                reader=reader(codec, events),
                load_schema=codec.load,
                pool=self.pool,
                duty=service(self.store, speaking.profile, self.clock),
                engine=self.host,
                admission=Admission(1000, attempts),
                attempts=Attempts(self.store, TOPIC_ID, "streamer"),
                utterances=Utterances(events, voices, MAX_TEXT, Audio(), clones=speaking.profile.clones),
                prompts=Prompts(folders, self.store),
                dead_letters=DeadLetters(window, 0.6),
                journal=journal(),
                clock=self.clock,
            )
        )

    def receive(self, value: bytes | None, offset: int, headers: Headers = (), of: Tenure | None = None) -> None:
        target = of or self.tenure
        assert target.ledger is not None
        assert target.ledger.receive(offset)
        self.pipeline.receive(target, [record(value, offset, headers)])

    def turn(self, times: int = 12) -> None:
        for _ in range(times):
            self.pipeline.turn()
            self.host.turn()
            self.pool.work()

    def settled(self, of: Tenure | None = None) -> dict[int, Settled]:
        ledger = (of or self.tenure).ledger
        assert ledger is not None
        return ledger._settled

    def codes(self, of: Tenure | None = None) -> dict[int, str]:
        return {offset: settled.code for offset, settled in self.settled(of).items()}

    def failed(self, offset: int) -> SpeechFailed:
        message = self.settled()[offset].message
        assert message is not None
        return CODECS.failed.decode(message.value)

    def completed(self, offset: int) -> SpeechCompleted:
        message = self.settled()[offset].message
        assert message is not None
        return CODECS.completed.decode(message.value)

    def verdict(self, offset: int) -> object:
        identity = reader().read(self.tenure, record(encoded(f"id-{offset}"), offset)).claim.identity
        return Verdicts(self.store).read(identity, 1)

    def idle(self) -> bool:
        return self.pipeline.tasks == self.pipeline.load == 0 and not self.tenure.tasks


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_record_becomes_a_result(line: Line) -> None:
    line.receive(encoded("id-0"), 0)
    assert line.pipeline.tasks == 1
    assert line.pipeline.load > 0
    line.turn()
    assert line.codes() == {0: "ok"}
    assert line.completed(0).audio.frames == 240
    assert line.idle()


FAILURES: dict[str, tuple[bytes | None, str, str]] = {
    "undecodable": (b"junk", "undecodable", "not an Avro single object"),
    "nothing": (None, "undecodable", "no value"),
    "no text": (encoded("id-0", " "), "text_empty", "text"),
    "text too long": (encoded("id-0", "x" * (MAX_TEXT + 1)), "text_too_long", "engine.max_text"),
    "voice unknown": (encoded("id-0", voice="Elvis" * 30), "voice_unknown", "known: plain, vip"),
    "inline voice": (
        encoded("id-0", prompt={"prompt_audio": "x", "prompt_text": "x"}),
        "voice_unknown",
        "name one in voice",
    ),
    "event": (encoded("id-0", None, event={"type": "t", "data": "{}"}), "template_error", "no rule for 't'"),
    "expired": (encoded("id-0", expires_at=1), "expired", "expires_at 1"),
    "against the rules": (encoded("x" * 10_000), "invalid_request", "id: has 10000 characters"),
}


@pytest.mark.parametrize(("value", "code", "says"), FAILURES.values(), ids=FAILURES)
def test_what_the_engine_never_sees(line: Line, value: bytes | None, code: str, says: str) -> None:
    line.receive(value, 0)
    line.turn()
    assert line.codes() == {0: code}
    assert says in line.failed(0).message
    assert line.engine.submitted == []
    assert any(key.endswith("verdict-1.json") for operation, key in line.store.calls if operation == "put")
    assert line.idle()


def test_a_failure_is_settled_only_after_its_verdict(line: Line) -> None:
    line.receive(b"junk", 0)
    line.pipeline.turn()
    line.pool.work()
    line.pipeline.turn()  # looked up, to be kept
    assert line.codes() == {}
    line.turn()
    assert line.codes() == {0: "undecodable"}


def test_the_same_id_is_spoken_once_and_in_order(line: Line) -> None:
    line.engine.held.add("hello")
    for offset in range(3):
        line.receive(encoded("same"), offset)
    line.receive(encoded("same", "other words"), 3)
    line.turn()
    assert line.engine.submitted == ["hello"]
    assert line.codes() == {}
    line.engine.held.clear()
    line.turn(30)
    assert line.codes() == {0: "ok", 1: "duplicate", 2: "duplicate", 3: "id_conflict"}
    assert "offset 0" in line.failed(3).message
    assert line.engine.submitted == ["hello"]
    assert line.idle()


def test_the_next_one_goes_on_when_the_holder_died(line: Line) -> None:
    other = tenure()
    line.engine.held.add("hello")
    line.receive(encoded("same"), 0)
    line.receive(encoded("same"), 1)
    line.receive(encoded("same"), 0, of=other)
    line.turn()
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    line.engine.held.clear()
    line.turn(30)
    assert line.codes() == {}
    assert line.codes(other) == {0: "ok"}
    assert line.engine.cancelled == [0]
    assert line.idle()


def test_what_came_back_to_a_dead_tenure_is_dropped(line: Line) -> None:
    line.receive(encoded("id-0"), 0)
    for _ in range(3):  # until its speech is being kept
        line.pipeline.turn()
        line.host.turn()
        line.pool.work()
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    line.turn()
    assert line.codes() == {}
    assert line.idle()


def test_the_store_is_given_time(line: Line) -> None:
    line.store.down = True
    for offset in range(3):
        line.receive(encoded(f"id-{offset}"), offset)
    line.turn()
    backing_off = [line.pipeline.backing_off]
    calls = len(line.store.calls)
    line.turn()
    assert len(line.store.calls) == calls  # not before its time
    waits = []
    for _ in range(8):
        before = line.clock.now()
        while len(line.store.calls) == calls:
            line.clock.advance(0.05)
            line.turn(2)
        waits.append(round(line.clock.now() - before, 2))
        calls = len(line.store.calls)
    assert waits == sorted(waits)
    assert waits[0] < 0.5
    assert 4.5 < waits[-1] < 5.5
    line.store.down = False
    line.clock.advance(5)
    line.turn(20)
    backing_off.append(line.pipeline.backing_off)
    assert backing_off == [True, False]
    assert line.codes() == {0: "ok", 1: "ok", 2: "ok"}
    assert line.idle()


def test_the_store_comes_back_though_the_tenure_died(line: Line) -> None:
    """Reading waits for the store; somebody must find out, though nobody waits for the job itself."""
    line.store.down = True
    line.receive(encoded("id-0"), 0)
    line.receive(encoded("id-1"), 1)
    line.turn()
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    for _ in range(5):
        line.clock.advance(5)
        line.turn()
        assert line.pipeline.backing_off
    line.store.down = False
    line.clock.advance(5)
    line.turn()
    assert not line.pipeline.backing_off
    assert line.codes() == {}


def test_audio_that_the_store_refuses_fails_its_record(line: Line) -> None:
    line.store.refuses = lambda key: key.endswith(".wav")
    line.receive(encoded("id-0"), 0)
    line.turn(20)
    assert line.codes() == {0: "store_rejected"}
    assert "injected" in line.failed(0).message
    assert line.idle()


def test_a_verdict_that_the_store_refuses_stops_the_worker(line: Line) -> None:
    line.store.refuses = lambda key: "verdict" in key or key.endswith(".wav")
    line.receive(encoded("id-0"), 0)
    with pytest.raises(StopWorker, match="the verdict of 'id-0'"):
        line.turn(20)
    assert line.codes() == {}


def test_an_unreadable_verdict_stops_the_worker(line: Line) -> None:
    identity = reader().read(line.tenure, record(encoded("id-0"), 0)).claim.identity
    line.store.put(f"{identity.folder}/verdict-1.json", b"{}")
    line.receive(encoded("id-0"), 0)
    with pytest.raises(StopWorker, match="unreadable verdict"):
        line.turn()
    assert line.codes() == {}


def test_a_verdict_of_a_later_version_stops_the_worker(line: Line) -> None:
    line.receive(encoded("id-0", " "), 0)
    line.turn()
    again = Line()
    key = next(key for operation, key in line.store.calls if operation == "put")
    data = line.store.get(key)
    assert data is not None
    again.store.put(key, data.replace(b'"text_empty"', b'"too_loud"').replace(b'"version":1', b'"version":2'))
    again.receive(encoded("id-0", " "), 0)
    with pytest.raises(StopWorker):
        again.turn()


def test_what_fails_alone_is_tried_again_and_then_fails(line: Line) -> None:
    line.engine.fails.add("bad")
    line.receive(encoded("id-0", "bad"), 0)
    line.receive(encoded("id-1", "good"), 1)
    line.turn(20)
    assert line.codes() == {0: "synthesis_failed", 1: "ok"}
    assert (line.failed(0).attempts, line.failed(0).message) == (2, "injected")
    assert line.engine.submitted.count("bad") == 2


def test_an_engine_that_breaks_takes_nobody_with_it(line: Line) -> None:
    for offset in range(4):
        line.receive(encoded(f"id-{offset}", f"text {offset}"), offset)
    step = line.engine.step

    def breaks() -> object:
        if any(utterance.text == "text 2" for utterance in line.engine._rows.values()):
            raise RuntimeError("device-side assert")
        return step()

    line.engine.step = breaks  # type: ignore[method-assign, assignment]
    line.turn(40)
    assert line.codes() == {0: "ok", 1: "ok", 2: "synthesis_failed", 3: "ok"}
    assert "device-side assert" in line.failed(2).message


def test_the_dead_letter_limit_comes_before_the_verdict() -> None:
    line = Line(window=10, attempts=1)
    line.engine.fails.add("bad")
    for offset in range(8):
        line.receive(encoded(f"id-{offset}", "bad"), offset)
    with pytest.raises(DeadLetterLimit, match="injected"):
        line.turn(40)
    for _ in range(3):
        line.pool.work()
    assert line.codes() == {}
    assert all(line.verdict(offset) is None for offset in range(5, 8))


def test_what_is_their_senders_doing_does_not_count() -> None:
    line = Line(window=10)
    for offset in range(30):
        line.receive(b"junk" if offset % 2 else encoded(f"id-{offset}", expires_at=1), offset)
    line.turn()
    assert len(line.codes()) == 30


def test_a_redrive_follows_a_failure_once(line: Line) -> None:
    line.engine.fails.add("bad")
    line.receive(encoded("id-0", "bad"), 0)
    line.turn(20)
    line.engine.fails.clear()
    again: Headers = ((FOLLOWS, b"1"), (ORIGIN, b"0/0"))
    line.receive(encoded("id-0", "bad"), 1, again)
    line.receive(encoded("id-0", "bad"), 2, again)
    line.receive(encoded("id-0", "bad"), 3, ((FOLLOWS, b"2"), (ORIGIN, b"0/0")))
    line.receive(encoded("id-0", "other words"), 4, again)
    line.turn(40)
    assert line.codes() == {0: "synthesis_failed", 1: "ok", 2: "duplicate", 3: "id_conflict", 4: "id_conflict"}
    assert line.completed(1).generation == 2
    assert "generation 2 of this id did not fail" in line.failed(3).message


def test_its_own_verdict_is_emitted_whatever_the_recipe(line: Line) -> None:
    line.receive(encoded("id-0", expires_at=int(line.clock.now() * 1000) + 1000), 0)
    line.turn()
    first = line.completed(0)
    line.clock.advance(3600)
    again = tenure()
    line.receive(encoded("id-0", expires_at=int(ManualClock().now() * 1000) + 1000), 0, of=again)
    line.turn()
    message = line.settled(again)[0].message
    assert message is not None
    assert CODECS.completed.decode(message.value) == first
    assert line.engine.submitted == ["hello"]


def test_an_unexpected_error_of_a_job_ends_the_worker(line: Line) -> None:
    def broken(key: str) -> bool:
        raise MemoryError("injected")

    line.store.refuses = broken
    line.receive(encoded("id-0"), 0)
    with pytest.raises(MemoryError):
        line.turn()


def test_a_failure_can_be_read_as_it_was_kept(line: Line) -> None:
    line.receive(encoded("id-0", " "), 0)
    line.turn()
    kept = line.verdict(0)
    assert isinstance(getattr(kept, "state", None), Failed)


def test_out_of_memory_beside_one_that_was_spoken_is_charged_to_nobody() -> None:
    line = Line(attempts=1)
    line.engine.fails.add("large")
    line.engine.out_of_memory = True
    line.receive(encoded("id-0", "small"), 0)
    line.receive(encoded("id-1", "large"), 1)
    while len(line.engine.submitted) < 2:
        line.turn(1)
    line.engine.fails.clear()
    line.turn()
    assert line.codes() == {0: "ok", 1: "ok"}


def test_the_metrics_tell_who_waits_and_what_the_engine_took() -> None:
    line = Line()
    step = line.engine.step

    def slow() -> list[Speech | Failure]:
        line.clock.advance(2.0)
        return step()

    line.engine.step = slow  # type: ignore[method-assign]
    line.receive(encoded("id-0"), 0)
    line.receive(encoded("id-0"), 1)
    assert line.pipeline.held_back == 1
    line.turn()
    assert line.pipeline.held_back == 0
    assert line.pipeline._journal.metrics.engine_seconds._value.get() == 2.0
