"""Distances of sounds and mels."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.precision.measures import EQUAL, log_mel_distance, mel_distance, snr


def test_signal_to_noise_is_about_the_mean() -> None:
    signal = torch.tensor([1.0, -1.0, 1.0, -1.0]) - 4.0
    assert snr(signal, signal.clone()) == EQUAL
    assert snr(signal, signal + torch.tensor([0.1, 0.1, -0.1, -0.1])) == pytest.approx(20.0, abs=1e-3)


def test_a_mel_that_is_a_tenth_as_loud_is_twenty_decibels_away() -> None:
    mel = torch.randn(80, 5)
    assert mel_distance(mel, mel - math.log(10)) == pytest.approx(20.0, abs=1e-4)


def test_a_sound_half_as_loud_is_six_decibels_away() -> None:
    sound = torch.randn(9_600, generator=torch.Generator().manual_seed(0))
    assert log_mel_distance(sound, 0.5 * sound, 24_000) == pytest.approx(6.02, abs=0.01)
    assert log_mel_distance(sound, sound, 24_000) == 0.0
