"""Speech on its way through the pipeline: verified before it counts, and bad records beside good ones."""

from __future__ import annotations

import pytest

from streamer.engines.base import Synthesizer
from streamer.engines.tone import ToneSynthesizer
from streamer.errors import DeadLetterLimit
from streamer.settings import Tone
from streamer.store.verdicts import Completed, Verdict
from tests.worker.builders import encoded, tenure
from tests.worker.test_pipeline import Line


@pytest.fixture
def line() -> Line:
    return Line()


def rejections(line: Line) -> float | None:
    registry = line.pipeline._journal.metrics.registry
    return registry.get_sample_value("streamer_speech_rejected_total", {"measure": "least_rms"})


def test_what_is_within_its_bounds_says_so_in_its_recipe(line: Line) -> None:
    line.receive(encoded("id-0", seed=5), 0)
    line.turn()
    verdict = line.verdict(0)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.state, Completed)
    bounds = line.engine.profile.bounds
    assert bounds is not None
    assert (verdict.state.recipe.bounds, verdict.state.recipe.seed) == (bounds.hash, 5)


def test_rejected_speech_is_made_once_more_with_the_next_seed(line: Line) -> None:
    line.engine.silent = {"bad": {5}}
    line.receive(encoded("id-0", "bad", seed=5), 0)
    line.turn()
    assert line.codes() == {0: "ok"}
    assert line.engine.seeds == [5, 6]
    assert line.completed(0).engine.seed == 6
    assert [key for operation, key in line.store.calls if operation == "replace" and key.endswith(".wav")] == [
        line.completed(0).audio.uri.removeprefix("memory:///")
    ]
    assert rejections(line) == 1
    assert line.idle()


def test_and_then_fails_with_measure_and_bound(line: Line) -> None:
    line.engine.silent = {"bad": {5, 6, 7}}
    line.receive(encoded("id-0", "bad", seed=5), 0)
    line.receive(encoded("id-1", "good"), 1)
    line.turn()
    assert line.codes() == {0: "speech_rejected", 1: "ok"}
    failed = line.failed(0)
    assert "RMS is 0.00000 of full scale, at least 0.001" in failed.message
    assert "seed 6, and the one before it" in failed.message
    assert (failed.attempts, failed.retryable) == (2, True)
    assert rejections(line) == 2
    assert line.idle()


def test_the_second_try_has_the_attempts_that_the_first_left(line: Line) -> None:
    """engine.attempts counts what fails in the engine alone."""
    line.engine.silent = {"bad": {5}}
    line.receive(encoded("id-0", "bad", seed=5), 0)
    while not line.engine.seeds:
        line.turn(1)
    line.engine.fails.add("bad")
    line.turn()
    assert line.codes() == {0: "synthesis_failed"}
    assert line.engine.seeds == [5, 6, 6]
    assert line.failed(0).attempts == 3
    assert line.idle()


def test_a_tenure_that_ends_between_two_tries(line: Line) -> None:
    line.engine.silent = {"bad": {5}}
    line.receive(encoded("id-0", "bad", seed=5), 0)
    while len(line.engine.seeds) < 2:
        line.turn(1)
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    assert line.pipeline.load == line.pipeline.tasks == 0
    again = tenure()
    line.receive(encoded("id-0", "bad", seed=5), 0, of=again)
    line.turn()
    assert line.codes(again) == {0: "ok"}
    assert line.idle()


def test_an_engine_whose_speech_is_rejected_stops_the_worker() -> None:
    """Though each of them had been spoken."""
    line = Line(window=10)
    for offset in range(12):
        line.engine.silent[f"bad {offset}"] = {5, 6}
        line.receive(encoded(f"id-{offset}", f"bad {offset}", seed=5), offset)
    with pytest.raises(DeadLetterLimit, match="the speech is silent"):
        line.turn(40)


def test_a_first_try_that_was_rejected_is_no_failure() -> None:
    line = Line(window=10)
    for offset in range(30):
        line.engine.silent[f"bad {offset}"] = {5}
        line.receive(encoded(f"id-{offset}", f"bad {offset}", seed=5), offset)
    line.turn(60)
    assert set(line.codes().values()) == {"ok"}


def tone(**settings: float) -> Synthesizer:
    return ToneSynthesizer(Tone.model_validate(settings), lambda seconds: None)


@pytest.mark.parametrize(("poison", "code"), [("[[fail]]", "synthesis_failed"), ("[[raise]]", "synthesis_failed")])
@pytest.mark.parametrize("place", range(8))
def test_a_batch_of_a_real_engine_is_brought_down_to_its_bad_record(poison: str, code: str, place: int) -> None:
    alone = Line(engine=tone(rows=8, cost_per_character=0.001))
    line = Line(engine=tone(rows=8, cost_per_character=0.001))
    for offset in range(8):
        text = f"text {offset} of the batch"
        line.receive(encoded(f"id-{offset}", poison if offset == place else text), offset)
        alone.receive(encoded(f"id-{offset}", text), offset)
        alone.turn(40)
    line.turn(120)
    assert line.codes() == {offset: code if offset == place else "ok" for offset in range(8)}
    assert poison in line.failed(place).message
    for offset in set(range(8)) - {place}:
        assert line.completed(offset).audio == alone.completed(offset).audio
    assert line.idle()


def test_speech_of_a_real_engine_that_is_rejected() -> None:
    line = Line(engine=tone())
    line.receive(encoded("id-0", "[[silent]]"), 0)
    line.receive(encoded("id-1", "[[silent:5]]", seed=5), 1)
    line.receive(encoded("id-2", "good"), 2)
    line.turn(40)
    assert line.codes() == {0: "speech_rejected", 1: "ok", 2: "ok"}
    assert line.completed(1).engine.seed == 6


def test_a_sender_of_signs_without_a_sound_stops_nobody() -> None:
    """And costs the engine one attempt each."""
    line = Line(window=10)
    for offset in range(30):
        line.engine.mute.add(f"。{offset}")
        line.receive(encoded(f"id-{offset}", f"。{offset}"), offset)
    line.turn(40)
    assert set(line.codes().values()) == {"text_empty"}
    assert not line.failed(0).retryable
    assert len(line.engine.submitted) == 30
    assert line.idle()


def test_a_flaw_found_while_the_store_is_down_does_not_say_that_it_is_back() -> None:
    line = Line()
    line.engine.silent = {"bad": {5, 6}}
    line.engine.held.add("bad")
    line.receive(encoded("id-0", "bad", seed=5), 0)
    line.turn(3)
    line.store.down = True
    line.receive(encoded("id-1", "good"), 1)
    line.turn(2)
    assert line.pipeline.backing_off
    line.clock.advance(0.2)
    line.pipeline.turn()  # the one that waited is asked again, and not answered yet
    waiting, line.pool.jobs = line.pool.jobs, []
    line.engine.held.clear()
    line.host.turn()
    line.pipeline.turn()
    line.pool.work()  # the flaw
    line.pipeline.turn()
    assert rejections(line) == 1
    assert line.pipeline.backing_off
    line.store.down = False
    line.pool.submit(waiting)
    line.turn()
    assert line.codes() == {0: "speech_rejected", 1: "ok"}
    assert line.idle()
