"""The kernels of a decode step, and of a stretch of an input, on an NVIDIA GPU.

Each must have run once before it is captured in a CUDA graph: the first time it is compiled, which needs a C compiler
on the machine. The current device must be the tensors'.
"""

from __future__ import annotations

from torch import Tensor

from streamer.engines.glm.kernels import (
    triton_attention,
    triton_norm,
    triton_rotation,
    triton_stretch,
    triton_swiglu,
)
from streamer.engines.glm.kernels.base import Scratch, StepKernels


class TritonKernels(StepKernels):
    """Errors of all: ValueError where a tensor has another shape, or is not contiguous. What lies behind a row's
    position, or a stretch's live ones, may be anything, even no number."""

    def rotate_and_store(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        positions: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        triton_rotation.rotate_and_store(projected, cosine, sine, positions, keys, values, queries).run()

    def decode_attention(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scratch: Scratch, out: Tensor
    ) -> None:
        for launch in triton_attention.decode_attention(queries, keys, values, positions, scratch, out):
            launch.run()

    def rotate_and_store_stretch(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        place: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        triton_rotation.rotate_and_store_stretch(projected, cosine, sine, place, keys, values, queries).run()

    def stretch_attention(self, queries: Tensor, keys: Tensor, values: Tensor, place: Tensor, out: Tensor) -> None:
        triton_stretch.stretch_attention(queries, keys, values, place, out).run()

    def swiglu(self, gate_up: Tensor, out: Tensor) -> None:
        triton_swiglu.swiglu(gate_up, out).run()

    def add_rms_norm(self, residual: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor) -> None:
        triton_norm.add_rms_norm(residual, delta, weight, epsilon, out).run()
