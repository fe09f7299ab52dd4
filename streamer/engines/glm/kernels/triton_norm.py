"""A sum and its RMS norm, a row in a program."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import power_of_two
from streamer.engines.glm.kernels.launch import Launch, check, kernel


def add_rms_norm(residual: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor) -> Launch:
    """`residual`, `delta`, `out`: [R, hidden]. `weight`: [hidden]."""
    rows, width = residual.shape
    given = residual if delta is None else delta
    for name, tensor in (("residual", residual), ("delta", given), ("out", out)):
        check(tensor, name, rows, width)
    check(weight, "weight", width)
    constants = {"WIDTH": width, "TILE": power_of_two(width), "EPSILON": epsilon, "ADDS": delta is not None}
    return Launch(_add_rms_norm, (rows,), (residual, given, weight, out), constants)


@kernel
def _add_rms_norm(
    residual: tl.tensor,
    delta: tl.tensor,
    weight: tl.tensor,
    out: tl.tensor,
    WIDTH: tl.constexpr,
    TILE: tl.constexpr,
    EPSILON: tl.constexpr,
    ADDS: tl.constexpr,
) -> None:
    channels = tl.arange(0, TILE)
    inside = channels < WIDTH
    row = tl.program_id(0).to(tl.int64) * WIDTH + channels
    numbers = tl.load(residual + row, mask=inside, other=0.0).to(tl.float32)
    # Fetched before it is needed, so that the sum does not wait twice for memory.
    weights = tl.load(weight + channels, mask=inside, other=0.0).to(tl.float32)
    if ADDS:
        added = numbers + tl.load(delta + row, mask=inside, other=0.0).to(tl.float32)
        rounded = added.to(residual.dtype.element_ty)
        tl.store(residual + row, rounded, mask=inside)
        numbers = rounded.to(tl.float32)
    scale = tl.rsqrt(tl.sum(numbers * numbers, 0) / WIDTH + EPSILON)
    normed = numbers * scale * weights
    tl.store(out + row, normed.to(out.dtype.element_ty), mask=inside)
