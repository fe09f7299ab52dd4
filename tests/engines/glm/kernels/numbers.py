"""Seeded numbers for kernels, and formulas in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import Scratch, StepKernels

FP32, BF16 = torch.float32, torch.bfloat16


class Drawn:
    """Numbers of one seed, drawn on the CPU, so that every device has the same."""

    def __init__(self, device: torch.device, dtype: torch.dtype, seed: int = 0) -> None:
        self.device, self.dtype = device, dtype
        self._generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randn(shape, generator=self._generator).to(self.device, dtype or self.dtype)

    def empty(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """What an output holds before: numbers that no result is."""
        return torch.full(shape, 1234.0, dtype=dtype or self.dtype, device=self.device)


class Cached(NamedTuple):
    """A layer's cache, and what is asked of it."""

    queries: Tensor
    """[R, H, D]"""
    keys: Tensor
    """[R, K, P, D]"""
    values: Tensor
    positions: Tensor
    """[R]"""

    @classmethod
    def draw(cls, drawn: Drawn, positions: Sequence[int], *, heads: int, shared: int, head: int, length: int) -> Cached:
        rows = len(positions)
        return cls(
            drawn.normal(rows, heads, head) * head**-0.5,
            drawn.normal(rows, shared, length, head),
            drawn.normal(rows, shared, length, head),
            torch.tensor(positions, device=drawn.device),
        )

    def scratch(self) -> Scratch:
        """Full of what no result may be made of."""
        rows, heads, head = self.queries.shape
        scratch = Scratch.of(rows, heads, self.keys.shape[2], head, self.keys.device)
        for part in scratch:
            part.fill_(torch.nan)
        return scratch

    def attend(self, kernels: StepKernels) -> Tensor:
        """[R, H, D]."""
        out = torch.full_like(self.queries, 1234.0)
        kernels.decode_attention(self.queries, self.keys, self.values, self.positions, self.scratch(), out.flatten(1))
        return out

    def exact(self, row: int) -> Tensor:
        """[H, D] float64."""
        end = int(self.positions[row]) + 1
        group = self.queries.shape[1] // self.keys.shape[1]
        keys, values = (part[row, :, :end].double().repeat_interleave(group, 0) for part in (self.keys, self.values))
        scores = (keys @ self.queries[row].double()[:, :, None])[..., 0]
        return (scores.softmax(-1)[:, None] @ values)[:, 0]


def angles(device: torch.device, positions: int, head: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine, [positions, head / 2]."""
    turns = torch.arange(positions)[:, None] * 10000.0 ** -(torch.arange(0, head, 2) / head)
    return turns.cos().to(device), turns.sin().to(device)
