"""The time between noise (0) and mel (1): the moments of the Euler steps, and a moment as a vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WAVES = 128
"""Frequencies of a moment's sines and cosines."""
_SCALE = 1000.0
_SLOWEST = 10_000.0


def moments(steps: int) -> Tensor:
    """[steps + 1] float32: 1 - cos(pi/2 i/steps). Short steps near the noise, where the velocity turns most."""
    return 1 - torch.cos(torch.linspace(0, 1, steps + 1) * 0.5 * math.pi)


class TimeEmbedding(nn.Module):
    """Moments [S] → [S, width]: sines, then cosines, of 1000 t, through two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(2 * WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, times: Tensor) -> Tensor:
        octaves = torch.arange(WAVES, device=times.device, dtype=torch.float32)
        rates = torch.exp(octaves * (-math.log(_SLOWEST) / (WAVES - 1)))
        angles = _SCALE * times[:, None] * rates
        vectors: Tensor = self.time_mlp(torch.cat((angles.sin(), angles.cos()), dim=-1))
        return vectors
