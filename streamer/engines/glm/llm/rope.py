"""Rotary positions, in the halves' order of Llama: channel i turns with channel i + D/2."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Angles(NamedTuple):
    """Of some positions, float32: cosine and sine, [..., 1, D/2], the same for all heads."""

    cosine: Tensor
    sine: Tensor


class Rope:
    """angle(p, i) = p * theta^(-2i/D). Source: J. Su et al., "RoFormer", 2021."""

    def __init__(self, positions: int, channels: int, theta: float, device: torch.device) -> None:
        """Of positions 0 to `positions` - 1. Computed on the CPU, so that every device has the same table."""
        frequencies = theta ** -(torch.arange(0, channels, 2, dtype=torch.float32) / channels)
        angles = torch.arange(positions, dtype=torch.float32)[:, None] * frequencies
        self._cosine = angles.cos()[:, None, :].to(device)
        self._sine = angles.sin()[:, None, :].to(device)

    def first(self, count: int) -> Angles:
        """Positions 0 to `count` - 1."""
        return Angles(self._cosine[:count], self._sine[:count])

    def at(self, positions: Tensor) -> Angles:
        """`positions`: [R] int64."""
        return Angles(self._cosine[positions], self._sine[positions])


def rotate(heads: Tensor, angles: Angles) -> Tensor:
    """[..., heads, D] of any precision → the same in float32."""
    left, right = heads.to(torch.float32).chunk(2, -1)
    turned = left * angles.cosine - right * angles.sine, right * angles.cosine + left * angles.sine
    return torch.cat(turned, -1)
