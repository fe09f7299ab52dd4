"""Everything random of a segment, from one generator on the device, in the reference's order."""

from __future__ import annotations

import torch
from torch import Tensor

_MELS, _HARMONICS, _HOP = 80, 9, 480


class Draws:
    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def choice(self, weights: Tensor) -> Tensor:
        """An index in proportion to the weights, [K], which need not add up to 1. Shape [1]."""
        return torch.multinomial(weights, 1, generator=self._generator)

    def flow_noise(self, frames: int) -> Tensor:
        """[1, frames, 80]"""
        return torch.randn(1, frames, _MELS, generator=self._generator, device=self._device)

    def vocoder(self, frames: int) -> tuple[Tensor, Tensor]:
        """Start phases [1, 9] and noise [1, 480 * frames, 9]; the latter fills the memory harmonic by harmonic."""
        phase = torch.rand(1, _HARMONICS, generator=self._generator, device=self._device)
        noise = torch.empty(1, _HARMONICS, _HOP * frames, device=self._device).mT.normal_(generator=self._generator)
        return phase, noise
