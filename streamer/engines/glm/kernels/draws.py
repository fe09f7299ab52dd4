"""The interface of what drawing a token takes: the most likely columns, and a draw out of some or of all.

All in whole numbers, whose sums and order are the same in every way of computing them, so that every implementation
draws the same. Nothing is asked of the device.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

ONE = 1 << 44


def weigh(probabilities: Tensor) -> Tensor:
    """As whole numbers of 1 / ONE, int64, whose sums are the same bits in every order of adding."""
    return (probabilities * ONE).to(torch.int64)


class DrawKernels(Protocol):
    """R rows of C contiguous columns. What is no number leads anywhere, but not out of a row."""

    def candidates(self, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The most likely columns of [R, C] float32, best first, among equals the lowest first: columns, int64, and
        probabilities, [R, `count`] or all there are."""

    def draw(self, weights: Tensor, uniforms: Tensor, wanted: Tensor) -> Tensor:
        """Where the cumulative weights, [R, C] float32, weighed, first exceed a share, [R] float64 below 1, of their
        sum: [R] int64. `wanted`: [R] bool; for a row that wants none, some column."""
