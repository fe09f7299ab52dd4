"""The bounds of espeak's profile hold for what it makes of many texts, and not for what went wrong with one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from streamer.clock import SystemClock
from streamer.engines.base import Samples, SpeechBounds
from streamer.engines.espeak import EspeakSynthesizer
from streamer.settings import Espeak
from streamer.voices import Voice
from streamer.worker.verify import FULL_SCALE, Flaw, verify
from tests.engines.contract import speak, utterance
from tests.engines.corpus import CORPUS

TEXT = "Your parcel was handed to the courier, 您的包裹已由快递员揽收, and will arrive tomorrow."


@pytest.fixture(scope="module")
def engine() -> Iterator[EspeakSynthesizer]:
    made = EspeakSynthesizer(Espeak(), SystemClock())
    yield made
    made.close()


@pytest.fixture(scope="module")
def sound(engine: EspeakSynthesizer) -> Samples:
    return speak(engine, utterance(TEXT))[0]


def bounds(engine: EspeakSynthesizer) -> SpeechBounds:
    found = engine.profile.bounds
    assert found is not None
    return found


@pytest.mark.parametrize(
    "voice",
    [
        Voice(name="plain"),
        Voice(name="slowest", rate=80),
        Voice(name="fastest", rate=450),
        Voice(name="whispers", volume=5),
        Voice(name="shouts", volume=200, pitch=99),
    ],
    ids=lambda voice: voice.name,
)
def test_good_speech_is_within_them(engine: EspeakSynthesizer, voice: Voice) -> None:
    sounds = speak(engine, *(utterance(text, voice) for text in CORPUS))
    pace = bounds(engine).pace(voice)
    flaws = {
        text: flaw.message
        for text, samples in zip(CORPUS, sounds, strict=True)
        if (flaw := verify(samples, engine.profile.sample_rate, text, bounds(engine), pace))
    }
    assert flaws == {}


def found(engine: EspeakSynthesizer, samples: Samples) -> Flaw | None:
    return verify(samples, engine.profile.sample_rate, TEXT, bounds(engine))


def test_what_went_wrong_is_not(engine: EspeakSynthesizer, sound: Samples) -> None:
    rate = engine.profile.sample_rate
    shouted = np.clip(sound.astype(np.int32) * 100, -FULL_SCALE, FULL_SCALE).astype(np.int16)
    wrong: dict[str, Samples] = {
        "empty": sound[:0],
        "least_rms": sound * 0,
        "most_clipped": shouted,
        "shortest": sound[: len(sound) // 6],
        "longest": np.tile(sound, 12),
        "longest_silence": np.concatenate([sound, np.zeros(2 * rate, np.int16)]),
    }
    assert found(engine, sound) is None
    for measure, samples in wrong.items():
        flaw = found(engine, samples)
        assert flaw is not None, measure
        assert flaw.measure == measure


def test_a_click_at_full_scale_is_no_speech_that_clips(engine: EspeakSynthesizer, sound: Samples) -> None:
    clicked = sound.copy()
    clicked[1000:1010] = FULL_SCALE
    assert found(engine, clicked) is None
    clicked[1000:1030] = FULL_SCALE
    flaw = found(engine, clicked)
    assert flaw is not None
    assert flaw.measure == "longest_clipped"
