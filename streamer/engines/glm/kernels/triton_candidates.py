"""The most likely columns of every row: of each part of a row by one program, then the best of these by another."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import power_of_two
from streamer.engines.glm.kernels.launch import Launch, check, kernel

PART = 2048
_LEAST = -(1 << 63)
"""A key below all that columns have."""


def scratch(probabilities: Tensor, count: int, part: int = PART) -> Tensor:
    """[R, parts of a row, `count`] int64."""
    rows, width = probabilities.shape
    return torch.empty(rows, -(-width // part), count, dtype=torch.int64, device=probabilities.device)


def candidates(
    probabilities: Tensor, best: Tensor, columns: Tensor, likely: Tensor, part: int = PART
) -> Iterator[Launch]:
    """`probabilities`: [R, C] float32, from 0 on. `best`: as `scratch` made it. `columns` int64, `likely` float32, out:
    [R, n], n at most C. To be run in this order.

    Numbers from 0 on are ordered as their bits are; below them stands the column, so that no two keys are equal and
    every way of sorting them ends the same.
    """
    rows, width = probabilities.shape
    count, parts = columns.shape[1], best.shape[1]
    check(probabilities, "probabilities", rows, width)
    check(columns, "columns", rows, min(count, width))
    check(likely, "likely", rows, count)
    check(best, "best", rows, -(-width // part), count)
    constants = {"WIDTH": width, "PARTS": parts, "COUNT": count, "LEAST": _LEAST}
    yield Launch(_best_of_part, (rows, parts), (probabilities, best), {**constants, "PART": part})
    yield Launch(_best_of_row, (rows,), (best, columns, likely), {**constants, "TILE": power_of_two(parts * count)})


@kernel
def _best_of_part(
    probabilities: tl.tensor,
    best: tl.tensor,
    WIDTH: tl.constexpr,
    PARTS: tl.constexpr,
    COUNT: tl.constexpr,
    LEAST: tl.constexpr,
    PART: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    columns = part * PART + tl.arange(0, PART)
    inside = columns < WIDTH
    numbers = tl.load(probabilities + row * WIDTH + columns, mask=inside, other=0.0)
    keys = (numbers.to(tl.int32, bitcast=True).to(tl.int64) << 32) + (WIDTH - 1 - columns)
    keys = tl.where(inside, keys, LEAST)
    # The highest, so many times: less work than sorting them all. Where there are no more, it is LEAST again.
    for place in range(COUNT):
        top = tl.max(keys, 0)
        keys = tl.where(keys == top, LEAST, keys)
        tl.store(best + (row * PARTS + part) * COUNT + place, top)


@kernel
def _best_of_row(
    best: tl.tensor,
    columns: tl.tensor,
    likely: tl.tensor,
    WIDTH: tl.constexpr,
    PARTS: tl.constexpr,
    COUNT: tl.constexpr,
    LEAST: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    every = tl.arange(0, TILE)
    keys = tl.load(best + row * PARTS * COUNT + every, mask=every < PARTS * COUNT, other=LEAST)
    for place in range(COUNT):
        top = tl.max(keys, 0)
        keys = tl.where(keys == top, LEAST, keys)
        tl.store(columns + row * COUNT + place, WIDTH - 1 - (top & 0xFFFFFFFF))
        tl.store(likely + row * COUNT + place, (top >> 32).to(tl.int32).to(tl.float32, bitcast=True))
