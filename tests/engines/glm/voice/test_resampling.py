from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engines.glm.voice.resampling import directly, resample
from tests.engines.glm.voice.sounds import voiced


def wave(seconds: float, rate: int) -> torch.Tensor:
    return torch.from_numpy(voiced(seconds, rate)[:, 0].copy())


@pytest.mark.parametrize("target", [16_000, 24_000, 32_000])
@pytest.mark.parametrize("source", [8_000, 22_050, 44_100, 96_000])
def test_without_a_table_it_is_the_same(source: int, target: int) -> None:
    before = wave(0.5, source)
    np.testing.assert_allclose(directly(before, source, target), resample(before, source, target), rtol=0, atol=5e-6)


@pytest.mark.parametrize("source", [8_001, 44_101, 47_999, 191_999])
def test_rates_with_no_common_divisor(source: int) -> None:
    """What it is, is heard again at 16 kHz: the same tone."""
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(source) / source)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(16_000) / 16_000)
    inner = slice(100, -100)
    np.testing.assert_allclose(resample(tone, source, 16_000)[inner], expected[inner], rtol=0, atol=0.01)


def test_its_own_rate_changes_nothing() -> None:
    before = wave(0.5, 16_000)
    assert resample(before, 16_000, 16_000) is before


@settings(max_examples=40)
@given(
    source=st.integers(8_000, 192_000), target=st.sampled_from([16_000, 24_000, 32_000]), samples=st.integers(1, 900)
)
def test_any_length_at_any_rate(source: int, target: int, samples: int) -> None:
    found = directly(torch.ones(samples), source, target)
    assert found.dtype == torch.float32
    assert len(found) == math.ceil(target * samples / source)
    assert bool(found.isfinite().all())
