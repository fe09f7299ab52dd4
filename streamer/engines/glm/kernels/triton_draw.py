"""A draw in proportion to weights, a row in a program; rows that want none cost nothing.

In whole numbers, whose sums are the same in every order: what is drawn is what any other way of adding them draws.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import power_of_two
from streamer.engines.glm.kernels.draws import ONE
from streamer.engines.glm.kernels.launch import Launch, check, kernel

_PART = 4096


def draw(weights: Tensor, uniforms: Tensor, wanted: Tensor, out: Tensor) -> Launch:
    """`weights`: [R, C] float32. `uniforms`: [R] float64. `wanted`: [R] bool. `out`: [R] int64."""
    rows, width = weights.shape
    check(weights, "weights", rows, width)
    for name, tensor in (("uniforms", uniforms), ("wanted", wanted), ("out", out)):
        check(tensor, name, rows)
    part = min(power_of_two(width), _PART)
    constants = {"WIDTH": width, "PART": part, "ONE": float(ONE)}
    warps = 8 if part == _PART else 1
    return Launch(_draw, (rows,), (weights, uniforms, wanted, out), constants, warps=warps)


@kernel
def _draw(
    weights: tl.tensor,
    uniforms: tl.tensor,
    wanted: tl.tensor,
    out: tl.tensor,
    WIDTH: tl.constexpr,
    PART: tl.constexpr,
    ONE: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    if tl.load(wanted + row).to(tl.int32) == 0:
        tl.store(out + row, 0)
        return
    columns = tl.arange(0, PART)
    all_sum = tl.zeros([PART], tl.int64)
    for start in range(0, WIDTH, PART):
        part = tl.load(weights + row * WIDTH + start + columns, mask=start + columns < WIDTH, other=0.0)
        all_sum += (part * ONE).to(tl.int64)
    # The sum has fewer bits than a float64 keeps, and the share is below 1: their product is below the sum.
    target = (tl.sum(all_sum, 0).to(tl.float64) * tl.load(uniforms + row)).to(tl.int64)
    before = target * 0
    found = before
    chosen = before
    for start in range(0, WIDTH, PART):
        part = tl.load(weights + row * WIDTH + start + columns, mask=start + columns < WIDTH, other=0.0)
        behind = before + tl.sum((part * ONE).to(tl.int64), 0)
        here = (before <= target) & (target < behind)
        chosen = tl.where(here, start, chosen)
        found = tl.where(here, before, found)
        before = behind
    places = chosen + columns
    part = tl.load(weights + row * WIDTH + places, mask=places < WIDTH, other=0.0)
    sums = found + tl.cumsum((part * ONE).to(tl.int64), 0)
    place = chosen + tl.sum((sums <= target).to(tl.int64), 0)
    tl.store(out + row, tl.minimum(place, WIDTH - 1))
