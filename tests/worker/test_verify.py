from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from streamer.engines.base import Durations, Profile, Samples, SpeechBounds, Utterance
from streamer.validation import MAX_SEED
from streamer.voices import Voice
from streamer.worker.verify import alike, duration, flaw_of, next_try, rejection, verify

RATE = 16_000
EACH = Durations(ideograph=0.25, letter=0.06, digit=0.3, pause=0.1, named=1.0, constant=0.5)


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> Samples:
    """White, of this RMS."""
    drawn = np.random.default_rng(seed).normal(0, level * 32_767, round(seconds * RATE))
    return np.clip(np.rint(drawn), -32_767, 32_767).astype(np.int16)


def babble(seconds: float, seed: int = 0) -> Samples:
    """Syllables of random length and loudness, as speech has them."""
    rng, parts = np.random.default_rng(seed), [noise(0.01)]
    while sum(map(len, parts)) < seconds * RATE:
        parts.append(noise(rng.uniform(0.05, 0.4), rng.uniform(0.01, 0.2), int(rng.integers(1 << 30))))
        parts.append(noise(rng.uniform(0.02, 0.3), 0.0005, int(rng.integers(1 << 30))))
    return np.concatenate(parts)[: round(seconds * RATE)]


def measure(samples: Samples, text: str = "text", pace: float = 1.0, **bounds: Any) -> str:
    flaw = verify(samples, RATE, text, SpeechBounds(**bounds), pace)
    return flaw.measure if flaw else ""


def test_without_bounds_only_nothing_is_refused() -> None:
    assert measure(np.zeros(0, np.int16)) == "empty"
    assert measure(np.zeros(100, np.int16)) == "least_rms"
    for samples in (noise(0.001), noise(60), np.full(1000, 32_767, np.int16), np.full(1000, -32_768, np.int16)):
        assert measure(samples) == ""


def test_silence() -> None:
    assert measure(noise(1, 0.001), least_rms=0.002) == "least_rms"
    assert measure(noise(1, 0.003), least_rms=0.002) == ""
    flaw = verify(noise(1, 0.001), RATE, "text", SpeechBounds(least_rms=0.002))
    assert flaw is not None
    assert "RMS is 0.00100 of full scale, at least 0.002" in flaw.message


def test_clipping_by_share_and_in_a_row() -> None:
    samples = noise(1)
    samples[100:140] = 32_767
    samples[200:220] = -32_768
    assert measure(samples, most_clipped=59 / RATE) == "most_clipped"
    assert measure(samples, most_clipped=61 / RATE) == ""
    assert measure(samples, longest_clipped=39) == "longest_clipped"
    assert measure(samples, longest_clipped=40) == ""
    assert measure(noise(1), most_clipped=0.0, longest_clipped=0) == ""


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_silence_at_the_beginning_within_or_at_the_end(place: int) -> None:
    parts = [noise(1), noise(1, seed=1)]
    parts.insert(place, np.zeros(RATE, np.int16))
    samples = np.concatenate(parts)
    assert measure(samples, longest_silence=0.95) == "longest_silence"
    assert measure(samples, longest_silence=1.05) == ""
    assert measure(samples, longest_silence=0.5, pace=2.1) == ""
    assert measure((samples // 50).astype(np.int16), longest_silence=1.05) == ""  # whatever the volume


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.5),
        ("您好", 1.0),
        ("Größe", 0.8),
        ("10 %", 0.5 + 2 * 0.3 + 0.1 + 1.0),
        ("好，a.", 0.5 + 0.25 + 0.1 + 0.06 + 0.1),
        ("Привет", 6.5),
        ("🎉", 1.5),
        ("𠀀〇々", 1.25),
    ],
)
def test_the_length_of_a_text_is_a_sum_over_its_characters(text: str, seconds: float) -> None:
    assert duration(text, EACH) == pytest.approx(seconds)


def test_speech_that_was_cut_off_or_does_not_end() -> None:
    text = "您的订单已付款" * 4  # 28 ideographs: 7.5 s
    assert measure(noise(7.4), text, shortest=EACH) == "shortest"
    assert measure(noise(7.6), text, shortest=EACH, longest=msgspec.structs.replace(EACH, constant=0.7)) == ""
    assert measure(noise(7.8), text, longest=msgspec.structs.replace(EACH, constant=0.7)) == "longest"
    assert measure(noise(7.8), text, longest=EACH, pace=1.1) == ""
    assert measure(noise(7.8), text, shortest=EACH, pace=1.1) == "shortest"
    flaw = verify(noise(1), RATE, text, SpeechBounds(shortest=EACH))
    assert flaw is not None
    assert flaw.message == "the speech is cut off: 1.00 s for 28 characters, at least 7.50 s"


def test_a_loop_is_found_where_it_begins_and_nowhere_else() -> None:
    bound = 0.9
    assert measure(babble(30), most_alike=bound) == ""
    assert measure(noise(30), most_alike=bound) == ""
    tone = np.rint(3000 * np.sin(np.arange(30 * RATE) / 20)).astype(np.int16)
    assert measure(tone, most_alike=bound) == ""  # without ups and downs there is nothing that repeats
    for period in (0.4, 0.9, 2.3):
        stuck = np.tile(babble(period, seed=3), int(9 / period))
        for samples in (stuck, np.concatenate([babble(10), stuck]), np.concatenate([stuck, babble(10)])):
            assert measure(samples, most_alike=bound) == "most_alike"


def test_a_text_that_repeats_itself_may_loop() -> None:
    stuck = np.tile(babble(0.5), 20)
    assert measure(stuck, "ha ha ha ha ha ha", most_alike=0.9) == ""
    assert measure(stuck, "好的好的好的", most_alike=0.9) == ""
    assert measure(stuck, "no, not at all", most_alike=0.9) == "most_alike"


def test_what_is_too_short_to_repeat() -> None:
    assert alike(np.ones(599, np.float32)) == 0.0


def test_a_long_speech_is_looked_at_to_its_last_sample() -> None:
    samples = np.concatenate([noise(200), np.zeros(3 * RATE, np.int16)])
    assert measure(samples, longest_silence=2.0) == "longest_silence"
    assert measure(samples[: -2 * RATE], longest_silence=2.0) == ""


def test_the_next_seed_once_and_only_where_seeds_count() -> None:
    profile = Profile(name="e", revision="1", sample_rate=RATE, capacity=1, step_limit=1)
    deaf = msgspec.structs.replace(profile, seeded=False)
    utterance = Utterance(text="text", voice=Voice(name="plain"), seed=6)
    again = next_try(utterance, profile, 1)
    assert again == msgspec.structs.replace(utterance, seed=7)
    assert next_try(again, profile, 2) is None
    assert next_try(utterance, deaf, 1) is None
    last = next_try(msgspec.structs.replace(utterance, seed=MAX_SEED), profile, 1)
    assert last is not None
    assert last.seed == 0
    flaw = verify(noise(1, 0.001), RATE, "text", SpeechBounds(least_rms=0.002))
    assert flaw is not None
    error = rejection(flaw, again, profile)
    assert error.code == "speech_rejected"
    for words in ("at least 0.002", "least_rms of engine e", "seed 7, and the one before it"):
        assert words in error.message
    assert "a seed changes nothing" in rejection(flaw, utterance, deaf).message


def test_an_engine_without_bounds_is_not_verified_and_a_slow_voice_is_given_time() -> None:
    profile = Profile(name="e", revision="1", sample_rate=RATE, capacity=1, step_limit=1)
    text = "您的订单已付款"
    utterance = Utterance(text=text, voice=Voice(name="slow", rate=85), seed=6)
    assert flaw_of(np.zeros(0, np.int16), utterance, profile) is None
    bounded = msgspec.structs.replace(profile, bounds=SpeechBounds(longest=EACH, words_per_minute=170))
    assert flaw_of(noise(4.4), utterance, bounded) is None
    flaw = flaw_of(noise(4.6), utterance, bounded)
    assert flaw is not None
    assert flaw.measure == "longest"


def test_bounds_have_a_hash_of_their_values_and_a_pace() -> None:
    bounds = SpeechBounds(least_rms=0.1, words_per_minute=170)
    assert bounds.hash == SpeechBounds(least_rms=0.1, words_per_minute=170).hash != SpeechBounds(least_rms=0.2).hash
    assert bounds.pace(Voice(name="slow", rate=85)) == 2.0
    assert SpeechBounds().pace(Voice(name="slow", rate=85)) == 1.0
