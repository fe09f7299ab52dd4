"""Draws on an NVIDIA GPU. As of the decode step's kernels, each must have run once before it is captured."""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.engines.glm.kernels import triton_candidates, triton_draw
from streamer.engines.glm.kernels.draws import DrawKernels


class TritonDraws(DrawKernels):
    def __init__(self, part: int = triton_candidates.PART) -> None:
        """`part`: columns that are sorted together, a power of two."""
        self._part = part

    def candidates(self, probabilities: Tensor, count: int) -> tuple[Tensor, Tensor]:
        rows, width = probabilities.shape
        count = min(count, width)
        columns = torch.empty(rows, count, dtype=torch.int64, device=probabilities.device)
        likely = torch.empty(rows, count, dtype=torch.float32, device=probabilities.device)
        best = triton_candidates.scratch(probabilities, count, self._part)
        for launch in triton_candidates.candidates(probabilities, best, columns, likely, self._part):
            launch.run()
        return columns, likely

    def draw(self, weights: Tensor, uniforms: Tensor, wanted: Tensor) -> Tensor:
        out = torch.empty(len(weights), dtype=torch.int64, device=weights.device)
        triton_draw.draw(weights, uniforms, wanted, out).run()
        return out
