"""Rotary positions, and new keys and values into the cache: a program for a row of a step, or a position of a
stretch."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import power_of_two
from streamer.engines.glm.kernels.launch import Launch, check, kernel


def rotate_and_store(
    projected: Tensor,
    cosine: Tensor,
    sine: Tensor,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    queries: Tensor,
) -> Launch:
    """`projected`: [R, (H + 2 K) * D]. `cosine`, `sine`: [at least P, D / 2] float32. `positions`: [R]. `keys`,
    `values`: [R, K, P, D]. `queries`: [R, H, D]. D is a power of two."""
    check(positions, "positions", len(keys))
    check(queries, "queries", len(keys), *queries.shape[1:])
    return _launch(projected, cosine, sine, positions, keys, values, queries, stretch=False)


def rotate_and_store_stretch(
    projected: Tensor,
    cosine: Tensor,
    sine: Tensor,
    place: Tensor,
    keys: Tensor,
    values: Tensor,
    queries: Tensor,
) -> Launch:
    """`projected`: [T, (H + 2 K) * D]. `place`: [3], the row, the first position, the live ones. `queries`: [T, H, D].
    The rest as above."""
    check(place, "place", 3)
    return _launch(projected, cosine, sine, place, keys, values, queries, stretch=True)


def _launch(
    projected: Tensor,
    cosine: Tensor,
    sine: Tensor,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    queries: Tensor,
    *,
    stretch: bool,
) -> Launch:
    count, heads, head = queries.shape
    rows, shared, length, _ = keys.shape
    every = heads + 2 * shared
    check(projected, "projected", count, every * head)
    check(queries, "queries", count, heads, head)
    for name, tensor in (("keys", keys), ("values", values)):
        check(tensor, name, rows, shared, length, head)
    for name, tensor in (("cosine", cosine), ("sine", sine)):
        check(tensor, name, max(length, len(tensor)), head // 2)
    constants = {
        "HEADS": heads,
        "SHARED": shared,
        "HALF": head // 2,
        "LENGTH": length,
        "TILE": power_of_two(every),
        "SCALE": head**-0.5,
        "STRETCH": stretch,
    }
    tensors = projected, cosine, sine, positions, keys, values, queries
    # Each product rounded by itself, as torch rounds them: the same bits as in plain.py.
    return Launch(_rotate_and_store, (count,), tensors, constants, contracted=False)


@kernel
def _rotate_and_store(
    projected: tl.tensor,
    cosine: tl.tensor,
    sine: tl.tensor,
    positions: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    queries: tl.tensor,
    HEADS: tl.constexpr,
    SHARED: tl.constexpr,
    HALF: tl.constexpr,
    LENGTH: tl.constexpr,
    TILE: tl.constexpr,
    SCALE: tl.constexpr,
    STRETCH: tl.constexpr,
) -> None:
    number = tl.program_id(0).to(tl.int64)
    if STRETCH:
        row = tl.load(positions).to(tl.int64)
        begin = tl.load(positions + 1).to(tl.int64)
        live = tl.load(positions + 2).to(tl.int64)
        position = tl.where(number < live, begin + number, -1)
    else:
        row = number
        position = tl.load(positions + number).to(tl.int64)
    taken = position >= 0
    heads, halves = tl.arange(0, TILE)[:, None], tl.arange(0, HALF)[None, :]
    inside = (heads < HEADS + 2 * SHARED) & (halves < HALF)
    source = projected + (number * (HEADS + 2 * SHARED) + heads) * 2 * HALF + halves
    left, right = tl.load(source, mask=inside), tl.load(source + HALF, mask=inside)
    cos = tl.load(cosine + position * HALF + halves, mask=taken & (halves < HALF), other=0.0)
    sin = tl.load(sine + position * HALF + halves, mask=taken & (halves < HALF), other=0.0)
    wide_left, wide_right = left.to(tl.float32), right.to(tl.float32)
    turned_left = wide_left * cos - wide_right * sin
    turned_right = wide_right * cos + wide_left * sin

    query = queries + (number * HEADS + heads) * 2 * HALF + halves
    is_query = inside & (heads < HEADS)
    tl.store(query, (turned_left * SCALE).to(queries.dtype.element_ty), mask=is_query)
    tl.store(query + HALF, (turned_right * SCALE).to(queries.dtype.element_ty), mask=is_query)

    key = ((row * SHARED + heads - HEADS) * LENGTH + position) * 2 * HALF + halves
    is_key = inside & taken & (heads >= HEADS) & (heads < HEADS + SHARED)
    tl.store(keys + key, turned_left.to(keys.dtype.element_ty), mask=is_key)
    tl.store(keys + key + HALF, turned_right.to(keys.dtype.element_ty), mask=is_key)

    value = ((row * SHARED + heads - HEADS - SHARED) * LENGTH + position) * 2 * HALF + halves
    is_value = inside & taken & (heads >= HEADS + SHARED)
    tl.store(values + value, left.to(values.dtype.element_ty), mask=is_value)
    tl.store(values + value + HALF, right.to(values.dtype.element_ty), mask=is_value)
