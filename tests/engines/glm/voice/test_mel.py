from __future__ import annotations

import numpy as np
import pytest
import torch

from streamer.engines.glm.voice.filterbank import slaney
from streamer.engines.glm.voice.mel import Mel


@pytest.mark.parametrize("rate", [24_000, 32_000])
@pytest.mark.parametrize("extra", [0, 1, 479, 639])
def test_50_frames_a_second(rate: int, extra: int) -> None:
    samples = 3 * rate + extra
    mel = Mel(rate)(torch.full((samples,), 0.1))
    assert mel.shape == (samples // (rate // 50), 80)
    assert mel.is_contiguous()


def test_silence_is_the_floor() -> None:
    """Magnitudes under the root have 1e-9 added, of which a filter passes next to nothing."""
    assert bool((Mel(24_000)(torch.zeros(24_000)) < -6).all())


@pytest.mark.parametrize(("rate", "size", "bins"), [(16_000, 400, 128), (24_000, 1920, 80), (32_000, 2560, 80)])
def test_a_tone_is_loudest_in_the_filter_around_it(rate: int, size: int, bins: int) -> None:
    bank = slaney(rate, size, bins, 8_000.0)
    assert bank.shape == (bins, size // 2 + 1)
    centres = bank.double() @ torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64) / bank.double().sum(1)
    assert bool((centres.diff() >= 0).all())
    assert 0 < centres[0] < 60
    assert 7_500 < centres[-1] < 8_000


def test_every_filter_has_the_same_area() -> None:
    areas = slaney(24_000, 192_000, 80, 8_000.0).sum(1) * 0.125
    np.testing.assert_allclose(areas, 1.0, atol=1e-3)
