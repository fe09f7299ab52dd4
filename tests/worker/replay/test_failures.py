"""What fails in a replay leaves what stands; and what stops a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.engines.base import Synthesizer
from streamer.errors import DeadLetterLimit, NotInitialised, StopWorker
from streamer.identity import Identity
from streamer.store.verdicts import Completed
from streamer.voices import Voice, Voices
from streamer.worker.replay.run import Mode
from tests.worker.builders import Rig, rules
from tests.worker.replay.rig import (
    ANOTHER,
    AS_EVER,
    FAILED,
    IDENTICAL,
    PROMOTED,
    Deployed,
    Everything,
    engine,
    outcomes,
    refusing,
    spoken,
    the_only,
)

MODES = list(Mode)
EVENT = {"type": "paid", "data": '{"n": 7}'}


@pytest.mark.parametrize("mode", MODES)
def test_what_fails_now_leaves_what_stands(mode: Mode, tmp_path: Path) -> None:
    good = Deployed(events=rules(tmp_path))
    bad = Deployed(events=rules(tmp_path, '[events.paid]\ntemplate = "{{ data.missing.field }}"\n'))
    rig = spoken("a", "b", deployed=good, event=EVENT)
    before = rig.verdicts("a"), rig.files("a")
    replayed = rig.replay(rig.run(mode), bad)
    assert outcomes(replayed) == [FAILED] * 2
    one = replayed[0]
    state = before[0][0].state
    assert isinstance(state, Completed)
    assert (one.code, one.previous, one.audio) == ("template_error", state.audio, None)
    assert "missing" in one.message
    assert (rig.verdicts("a"), rig.files("a")) == before


FAILURES: dict[str, tuple[Callable[[], Synthesizer], str]] = {
    "the engine fails": (refusing, "synthesis_failed"),
    "the engine breaks": (lambda: engine(raises=RuntimeError("broken")), "synthesis_failed"),
    "it is silent": (lambda: engine(silent={"the text of a": Everything()}), "speech_rejected"),
    "no sound": (lambda: engine(mute=Everything()), "text_empty"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failure", FAILURES)
def test_failures_of_the_engine(failure: str, mode: Mode) -> None:
    broken, code = FAILURES[failure]
    rig = spoken("a")
    one = the_only(rig.replay(rig.run(mode), Deployed(engine=broken)))
    assert (one.outcome, one.code) == (FAILED, code)
    assert len(rig.verdicts("a")) == 1


def test_a_voice_that_is_gone() -> None:
    rig = spoken("a", voice="vip")
    one = the_only(rig.replay(rig.run(), Deployed(voices=Voices({"plain": Voice(name="plain")}, "plain"))))
    assert (one.outcome, one.code, one.reasons) == (FAILED, "voice_unknown", ["voice"])


def test_audio_that_the_store_refuses() -> None:
    rig = spoken("a")
    rig.store.refuses = lambda key: key.endswith(".wav")
    one = the_only(rig.replay(rig.run(Mode.PROMOTE), ANOTHER))
    assert (one.outcome, one.code) == (FAILED, "store_rejected")
    assert len(rig.verdicts("a")) == 1


def test_a_broken_engine_stops_the_run() -> None:
    """As it stops the service: nothing is made again by it, and everything would be said to have failed."""
    rig = spoken(*map(str, range(60)))
    run = rig.run()
    process = rig.replaying(run, Deployed(engine=refusing))
    with pytest.raises(DeadLetterLimit) as stopped:
        process.until(lambda: rig.finished(run), turns=2000)
    assert stopped.value.exit_code == 2
    process.worker.close()
    assert len(rig.replayed()) < 30
    assert outcomes(rig.replay(run, AS_EVER)).count(IDENTICAL) >= 30
    assert len(rig.replayed()) == 60


def test_a_store_that_is_down_is_waited_for() -> None:
    rig = spoken(*map(str, range(10)))
    run = rig.run(Mode.PROMOTE)
    process = rig.replaying(run, ANOTHER)
    process.turn(3)
    rig.store.down = True
    process.turn(50)
    rig.store.down = False
    process.until(lambda: rig.finished(run), turns=2000)
    assert outcomes(rig.replayed()) == [PROMOTED] * 10


def test_an_unreadable_verdict_stops_the_run_and_says_which() -> None:
    rig = spoken("a")
    key = f"{Identity('shop', 'a').folder}/verdict-1.json"
    rig.store.replace(key, b"{")
    run = rig.run()
    with pytest.raises(StopWorker, match="unreadable verdict"):
        rig.replaying(run).until(lambda: rig.finished(run))


def test_without_its_topic_a_run_says_how_it_is_made() -> None:
    rig = spoken("a")
    del rig.cluster._topics["tts.replayed"]
    with pytest.raises(NotInitialised, match=r"no topic tts\.replayed .*run `streamer topics`"):
        rig.replaying(rig.run())
    Rig.worker(rig)  # the service does without
