from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from streamer.clock import ManualClock
from streamer.engines.base import Failure, Speech
from streamer.engines.tone import FREE_ROWS, SAMPLE_RATE, SLICE, ToneSynthesizer
from streamer.errors import EngineError
from streamer.settings import Tone
from streamer.worker.verify import verify
from tests.engines.contract import OTHER, finish, samples, speak, utterance


def opened(clock: ManualClock | None = None, **settings: float) -> ToneSynthesizer:
    return ToneSynthesizer(Tone.model_validate(settings), (clock or ManualClock()).sleep)


@pytest.mark.parametrize(
    ("seconds", "text", "frames"), [(0.005, "ten chars.", 1200), (0.1, "abc", 7200), (0, "abc", 1)]
)
def test_length_follows_the_characters(seconds: float, text: str, frames: int) -> None:
    (sound,) = speak(opened(seconds_per_character=seconds), utterance(text))
    assert len(sound) == frames


def test_a_long_tone_repeats_by_the_second() -> None:
    (sound,) = speak(opened(seconds_per_character=0.1), utterance("x" * 35))
    assert len(sound) == 3.5 * SAMPLE_RATE
    np.testing.assert_array_equal(sound[:SAMPLE_RATE], sound[2 * SAMPLE_RATE : 3 * SAMPLE_RATE])
    jump = np.abs(np.diff(sound.astype(np.int32)))
    assert jump[SAMPLE_RATE - 1] <= jump.max()
    assert jump.max() < 10_000


def test_it_is_two_tones_that_differ_by_text_voice_and_seed() -> None:
    engine = opened(seconds_per_character=0.25)
    sounds = speak(engine, utterance("text"), utterance("tent"), utterance("text", OTHER), utterance("text", seed=1))
    assert len({sound.tobytes() for sound in sounds}) == 4
    for sound in sounds:
        assert np.abs(sound).max() < 32_000
        power = np.abs(np.fft.rfft(sound)) ** 2
        assert np.sort(power)[-2:].sum() > 0.99 * power.sum()


def test_many_texts_sound_differently() -> None:
    sounds = speak(opened(), *[utterance(f"text {number}") for number in range(2_000)])
    assert len({sound.tobytes() for sound in sounds}) == 2_000


def test_a_batch_costs_as_much_as_one_row() -> None:
    for count in (1, 4):
        clock = ManualClock(0.0)
        speak(opened(clock, cost_per_character=1.0, rows=4), *[utterance("x" * 25)] * count)
        assert clock.monotonic() == 25.0


def test_rows_that_do_not_fit_wait() -> None:
    clock = ManualClock(0.0)
    speak(opened(clock, cost_per_character=1.0, rows=2), *[utterance("x" * 10)] * 5)
    assert clock.monotonic() == 30.0


def test_short_ones_leave_and_others_join_while_a_long_one_is_spoken() -> None:
    engine = opened(cost_per_character=0.1, rows=2)
    long = engine.submit(utterance("x" * 4 * SLICE))
    short = [engine.submit(utterance("x" * SLICE)) for _ in range(3)]
    steps = [[report.ticket for report in engine.step()] for _ in range(4)]
    assert steps == [[short[0]], [short[1]], [short[2]], [long]]


def test_free_work_is_done_in_large_batches() -> None:
    engine = opened(rows=1)
    for number in range(FREE_ROWS + 1):
        engine.submit(utterance(f"{number}"))
    assert [len(engine.step()) for _ in range(3)] == [FREE_ROWS, 1, 0]


def test_fail_always() -> None:
    engine = opened()
    for _ in range(3):
        (report,) = finish_one(engine, "hello [[fail]]")
        assert isinstance(report, Failure)
        assert not report.out_of_memory


def test_fail_the_first_times_of_each_text() -> None:
    engine = opened()
    seen = [isinstance(finish_one(engine, "a [[fail:2]]")[0], Speech) for _ in range(4)]
    assert seen == [False, False, True, False]
    assert isinstance(finish_one(engine, "b [[fail:1]]")[0], Failure)
    assert isinstance(finish_one(engine, "b [[fail:1]]")[0], Speech)
    assert isinstance(finish_one(engine, "b [[fail:0]]")[0], Speech)


def test_raise_takes_everything_with_it() -> None:
    engine = opened(cost_per_character=0.1)
    for text in ("one", "two [[raise]]", "three"):
        engine.submit(utterance(text))
    with pytest.raises(EngineError, match="raise"):
        engine.step()
    assert engine.step() == []
    samples(finish_one(engine, "one")[0])


def test_crash_kills_its_process() -> None:
    program = (
        "import time; from streamer.engines.tone import ToneSynthesizer; from streamer.settings import Tone; "
        "from tests.engines.contract import utterance; engine = ToneSynthesizer(Tone(), time.sleep); "
        "engine.submit(utterance('one')); engine.submit(utterance('two [[crash]]')); print('so far', flush=True); "
        "engine.step(); print('no further')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "so far\n")


def test_hang_never_returns() -> None:
    class Enough(Exception):
        pass

    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 100:
            raise Enough

    engine = ToneSynthesizer(Tone(step_limit=3), sleep)
    engine.submit(utterance("[[hang]]"))
    with pytest.raises(Enough):
        engine.step()
    assert sum(naps) > engine.profile.step_limit


def test_the_step_limit_leaves_time_for_the_work_of_a_step() -> None:
    assert opened(step_limit=2, cost_per_character=0.5).profile.step_limit == 2 + SLICE * 0.5


def test_out_of_memory_with_neighbours_only() -> None:
    engine = opened(cost_per_character=0.1)
    large, small = engine.submit(utterance("[[oom]]")), engine.submit(utterance("small"))
    reported = finish(engine, 2)
    assert reported[large] == Failure(large, "the text holds [[oom]]", out_of_memory=True)
    samples(reported[small])
    samples(finish_one(engine, "[[oom]]")[0])


def test_of_texts_that_all_need_the_memory_one_is_spoken() -> None:
    engine = opened()
    for _ in range(3):
        engine.submit(utterance("[[oom]]"))
    reports = finish(engine, 3).values()
    assert sum(isinstance(report, Speech) for report in reports) == 1


def test_a_share_of_texts_fails_and_always_the_same() -> None:
    texts = [f"text {number}" for number in range(1_000)]
    runs = []
    for _ in range(2):
        engine = opened(failure_rate=0.2)
        tickets = {engine.submit(utterance(text)): text for text in texts}
        runs.append(
            {tickets[ticket] for ticket, report in finish(engine, 1_000).items() if isinstance(report, Failure)}
        )
    assert runs[0] == runs[1]
    assert 130 < len(runs[0]) < 270


def test_silence_on_demand_always_or_with_one_seed() -> None:
    engine = opened()
    always, with_it, without = speak(
        engine, utterance("a [[silent]]"), utterance("a [[silent:7]]", seed=7), utterance("a [[silent:7]]", seed=8)
    )
    assert [sound.any() for sound in (always, with_it, without)] == [False, False, True]
    assert len(always) == len(without) - len(":7") * 120


@pytest.mark.parametrize("seconds", [0.001, 0.005, 0.25])
def test_its_speech_is_within_its_bounds_and_nothing_else_is(seconds: float) -> None:
    engine = opened(seconds_per_character=seconds)
    bounds = engine.profile.bounds
    assert bounds is not None
    for text in ("a", "好", "Order 42, 王先生!", "x" * 500):
        for seed in range(20):
            (sound,) = speak(engine, utterance(text, seed=seed))
            assert verify(sound, SAMPLE_RATE, text, bounds) is None
    (sound,) = speak(engine, utterance("x" * 100))
    for wrong in (sound[: len(sound) // 2], np.concatenate([sound, sound]), sound * 0):
        assert verify(wrong, SAMPLE_RATE, "x" * 100, bounds) is not None


def test_tones_shorter_than_their_period_are_not_verified() -> None:
    assert opened(seconds_per_character=0).profile.bounds is None


@pytest.mark.parametrize("text", ["[[", "[[fail", "[[fail:]]", "[[fail:x]]", "[fail]", "[[other]]"])
def test_what_is_no_marker_is_spoken(text: str) -> None:
    samples(finish_one(opened(), text)[0])


def finish_one(engine: ToneSynthesizer, text: str) -> list[Speech | Failure]:
    engine.submit(utterance(text))
    return list(finish(engine, 1).values())
