"""Fundamental frequency → excitation: harmonic sines where the voice sounds, noise where it does not."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_AMPLITUDE = 0.1
"""Of a sine; of noise where nothing is voiced, three times that."""
_NOISE_VOICED = 0.003
_NOISE_UNVOICED = _AMPLITUDE / 3
_LEAST_VOICED = 10.0
"""Hz."""


class HarmonicSource(nn.Module):
    """The fundamental and its multiples, one channel each, merged into one by a learned sum and tanh."""

    def __init__(self, harmonics: int, sample_rate: int, hop: int) -> None:
        """`hop`: samples a frame."""
        super().__init__()
        self._sample_rate, self._hop = sample_rate, hop
        self.l_linear = nn.Linear(harmonics, 1)
        self.register_buffer("_multiples", torch.arange(1.0, harmonics + 1).unsqueeze(1), persistent=False)
        self._multiples: Tensor

    def forward(self, f0: Tensor, noise: Tensor) -> Tensor:
        """f0 [B, T] in Hz, 0 beyond the end; noise [B, hop T, H] → [B, hop T], where beyond the end is no meaning."""
        voiced = self._each_sample((f0 > _LEAST_VOICED).to(f0.dtype).unsqueeze(1))
        sines = torch.sin(self._phase(f0)) * _AMPLITUDE
        amplitude = voiced * _NOISE_VOICED + (1 - voiced) * _NOISE_UNVOICED
        channels = sines * voiced + amplitude * noise.transpose(1, 2)
        return torch.tanh(self._merge(channels))

    def _phase(self, f0: Tensor) -> Tensor:
        """Radians of every sample, [B, H, hop T].

        Turns a sample, summed frame by frame and interpolated between the middles of frames, all in float32 as the
        reference does it: an hour's phase is inexact, and just as inexact. Only the sum is taken in float64 and rounded
        at each frame (torch on a CPU does that by itself), so that the order in which a device adds shows nowhere.
        Beyond a row's end f0 is 0 and the phase stands still, which is what interpolation repeats at the end of a row
        that is alone.
        """
        turns = (f0.unsqueeze(1) * self._multiples / self._sample_rate) % 1
        phase = turns.to(torch.float64).cumsum(dim=2).to(f0.dtype) * 2 * math.pi
        return functional.interpolate(phase * self._hop, scale_factor=float(self._hop), mode="linear")

    def _merge(self, channels: Tensor) -> Tensor:
        """[B, H, L] → [B, L]: the sum in the order of the harmonics, sample by sample.

        A matrix product of one column may round by where in the batch a row stands.
        """
        weight, bias = self.l_linear.weight[0], self.l_linear.bias
        total = bias + channels[:, 0] * weight[0]
        for harmonic in range(1, channels.shape[1]):
            total = total + channels[:, harmonic] * weight[harmonic]
        return total

    def _each_sample(self, frames: Tensor) -> Tensor:
        """[B, 1, T] → [B, 1, hop T]."""
        return frames.repeat_interleave(self._hop, dim=2)
