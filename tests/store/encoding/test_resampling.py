from __future__ import annotations

import numpy as np
import pytest
import soxr

from streamer.store.encoding.resampling import resampled
from tests.store.encoding.sounds import Samples, tone


def level(samples: Samples) -> float:
    """Of the middle, in decibels of full scale."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4].astype(np.float64)
    return float(10 * np.log10(np.mean(middle**2) / 32768**2 + 1e-20))


@pytest.mark.parametrize("target", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("source", [8_000, 22_050, 24_000, 48_000])
def test_resampling_keeps_pitch_and_length(source: int, target: int) -> None:
    samples = resampled(tone(source), source, target)
    assert abs(len(samples) / target - 0.5) <= 2 / target
    expected = tone(target)[: len(samples)].astype(np.float64)
    middle = slice(len(samples) // 4, 3 * len(samples) // 4)
    error = np.abs(samples[: len(expected)][middle] - expected[middle])
    assert error.max() < 60  # of 12,000: a wrong pitch, delay or gain would be thousands


def test_resampling_clips_instead_of_wrapping() -> None:
    square = np.where(np.arange(2205) // 50 % 2, 32767, -32768).astype(np.int16)
    samples = resampled(square, 22_050, 24_000)
    places = np.arange(len(samples)) * 22_050 / 24_000
    inner = (places % 50 > 5) & (places % 50 < 45)
    # The overshoot at each edge is beyond int16; samples that wrapped would have the other sign.
    assert (np.sign(samples[inner]) == np.sign(square[places.astype(int)][inner])).all()
    assert np.max(samples) == 32767
    assert np.min(samples) == -32768


def test_silence_stays_silence() -> None:
    assert not resampled(np.zeros(22_050, np.int16), 22_050, 24_000).any()


def test_at_its_own_rate_nothing_is_done() -> None:
    samples = tone(24_000)
    assert resampled(samples, 24_000, 24_000) is samples


@pytest.mark.parametrize("source", [22_050, 24_000, 48_000])
@pytest.mark.parametrize("frequency", [300, 1_000, 3_400])
def test_the_telephones_band_comes_through(source: int, frequency: int) -> None:
    sound = tone(source, frequency=frequency)
    assert abs(level(resampled(sound, source, 8_000)) - level(sound)) < 0.1


@pytest.mark.parametrize("source", [22_050, 24_000, 48_000])
@pytest.mark.parametrize("frequency", [4_400, 5_000, 7_600, 10_000])
def test_what_is_above_the_telephones_band_does_not_fold_into_it(source: int, frequency: int) -> None:
    assert level(resampled(tone(source, frequency=frequency), source, 8_000)) < -85


def test_samples_are_rounded_not_cut() -> None:
    sound = tone(22_050, peak=900.0)
    exact = soxr.resample(sound.astype(np.float64), 22_050, 8_000, quality="HQ")
    assert np.abs(resampled(sound, 22_050, 8_000) - exact).max() < 0.51
