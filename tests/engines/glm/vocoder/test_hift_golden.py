"""HiFT against the arrays of the reference. Tolerances of tests/golden/README.md; reached on one machine: f0 1.5e-5 Hz,
source 5.5e-5 (4.5e-8 from the reference's own f0), wave 5.5e-6."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.engines.glm.vocoder.ends import within
from streamer.engines.glm.vocoder.hift import Hift
from tests.engines.glm.golden import arrays

TOLERANCE = 1e-4


class Computed(NamedTuple):
    f0: Tensor
    source: Tensor
    wav: Tensor


def golden(name: str) -> Tensor:
    return torch.from_numpy(arrays("vocoder")[name])


def noise_of(case: str, frames: int, hift: Hift) -> Tensor:
    return golden("noise.gauss")[None] if case == "noise" else torch.zeros(1, hift.hop * frames, hift.harmonics)


def compute(hift: Hift, case: str) -> Computed:
    mel = golden(f"{case}.mel")[None]
    lengths = torch.tensor([mel.shape[2]])
    f0 = hift.f0_predictor(mel, within(lengths, mel.shape[2]))
    source = hift.m_source(f0, noise_of(case, mel.shape[2], hift))
    return Computed(f0[0], source[0], hift.generate(mel, source, lengths)[0])


@pytest.mark.parametrize("case", ["zero", "noise", "unvoiced"])
def test_every_array_is_the_references(hift: Hift, case: str) -> None:
    if case == "unvoiced":
        hift = copy.deepcopy(hift)
        hift.f0_predictor.classifier.bias.add_(float(arrays("vocoder")["unvoiced.f0_bias_shift"]))
    for name, value in compute(hift, case)._asdict().items():
        np.testing.assert_allclose(value, golden(f"{case}.{name}"), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("case", ["zero", "noise"])
def test_forward_is_its_parts(hift: Hift, case: str) -> None:
    mel = golden(f"{case}.mel")[None]
    frames = mel.shape[2]
    phase = golden("noise.start_phase")[None]
    wave = hift(mel, torch.tensor([frames]), phase, noise_of(case, frames, hift))
    assert torch.equal(wave[0], compute(hift, case).wav)


@pytest.mark.parametrize("case", ["zero", "noise", "unvoiced"])
def test_the_source_follows_from_the_references_f0(hift: Hift, case: str) -> None:
    """Without the rounding of f0 in between, which the phase sums up."""
    f0 = golden(f"{case}.f0")[None]
    source = hift.m_source(f0, noise_of(case, f0.shape[1], hift))
    np.testing.assert_allclose(source[0], golden(f"{case}.source"), atol=1e-6, rtol=0)


def test_a_source_may_continue_another(hift: Hift) -> None:
    """The reference's cache_source: its first samples are given, of the mel of `noise` without noise."""
    mel, cached = golden("noise.mel")[None], golden("cache_source.in")
    lengths = torch.tensor([mel.shape[2]])
    f0 = hift.f0_predictor(mel, within(lengths, mel.shape[2]))
    source = hift.m_source(f0, torch.zeros(1, hift.hop * mel.shape[2], hift.harmonics))
    source[0, : len(cached)] = cached
    wave = hift.generate(mel, source, lengths)
    np.testing.assert_allclose(wave[0], golden("cache_source.wav"), atol=TOLERANCE, rtol=0)
