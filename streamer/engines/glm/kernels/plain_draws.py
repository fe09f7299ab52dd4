"""Draws in torch's own operations."""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.engines.glm.kernels.draws import DrawKernels, weigh


class PlainDraws(DrawKernels):
    def candidates(self, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
        width = probabilities.shape[1]
        # Numbers from 0 on are ordered as their bits are; below them stands the column, so that no two keys are equal.
        bits = probabilities.view(torch.int32).to(torch.int64)
        keys = bits.bitwise_left_shift_(32).add_(torch.arange(width - 1, -1, -1, device=bits.device))
        columns = width - 1 - (keys.topk(min(count, width), 1).values & 0xFFFFFFFF)
        return columns, probabilities.gather(1, columns)

    def draw(self, weights: Tensor, uniforms: Tensor, wanted: Tensor) -> Tensor:
        if weights.device.type == "cpu" and not bool(wanted.any()):  # of a GPU this would be asked by waiting for it
            return torch.zeros(len(weights), dtype=torch.int64)
        sums = weigh(weights).cumsum(1)
        # The sum has fewer bits than a float64 keeps, and the share is below 1: their product is below the sum.
        target = (sums[:, -1] * uniforms).floor().to(torch.int64)
        return torch.searchsorted(sums, target[:, None], right=True)[:, 0].clamp_(max=weights.shape[1] - 1)
