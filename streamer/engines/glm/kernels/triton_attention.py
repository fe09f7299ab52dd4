"""Attention of one position of every row over its live keys: a program for each block of the cache, then their sum.

The split is the same for every row and length, and what a block gives does not depend on who else is there, so that a
row's bits follow from its own numbers. A program whose block lies behind its row's position ends at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import Scratch, power_of_two
from streamer.engines.glm.kernels.launch import Launch, check, kernel
from streamer.engines.glm.llm.cache import BLOCK

_SMALLEST_DOT = 16
"""Rows that a product must have at least: as many as tensor cores take at once. The others are zeros."""
_TOGETHER = 4
"""Blocks that are fetched at once when they are joined: of most segments, all."""


def decode_attention(
    queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scratch: Scratch, out: Tensor
) -> Iterator[Launch]:
    """`queries`: [R, H, D]. `keys`, `values`: [R, K, P, D]. `positions`: [R]. `out`: [R, H * D]. D is a power of two
    from 16 on. To be run in this order."""
    rows, heads, head = queries.shape
    shared, length = keys.shape[1], keys.shape[2]
    blocks = length // BLOCK
    check(queries, "queries", rows, heads, head)
    for name, tensor in (("keys", keys), ("values", values)):
        check(tensor, name, rows, shared, blocks * BLOCK, head)
    check(positions, "positions", rows)
    check(out, "out", rows, heads * head)
    check(scratch.largest, "scratch.largest", rows, heads, blocks)
    check(scratch.sums, "scratch.sums", rows, heads, blocks)
    check(scratch.seen, "scratch.seen", rows, heads, blocks, head)

    group = heads // shared
    wide = queries.dtype == torch.float32
    yield Launch(
        _see_block,
        (rows * shared, blocks),
        (queries, keys, values, positions, *scratch),
        {
            "SHARED": shared,
            "GROUP": group,
            "TILE_GROUP": max(power_of_two(group), _SMALLEST_DOT),
            "HEAD": head,
            "BLOCKS": blocks,
            "BLOCK": BLOCK,
            # Several tiles in flight hide the way to memory; in float32 fewer keys fit the registers.
            "TILE": 32 if wide else 64,
        },
        stages=2 if wide else 3,
    )
    yield Launch(
        _join_blocks,
        (rows * heads,),
        (positions, *scratch, out),
        {
            "HEADS": heads,
            "HEAD": head,
            "BLOCKS": blocks,
            "TILE_BLOCKS": power_of_two(blocks),
            "BLOCK": BLOCK,
            "TOGETHER": _TOGETHER,
        },
        warps=1,
    )


@kernel
def _see_block(
    queries: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    positions: tl.tensor,
    largest: tl.tensor,
    sums: tl.tensor,
    seen: tl.tensor,
    SHARED: tl.constexpr,
    GROUP: tl.constexpr,
    TILE_GROUP: tl.constexpr,
    HEAD: tl.constexpr,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    """One block of one row and KV head, with the query heads that share it: softmax by a running maximum."""
    slot = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    position = tl.load(positions + slot // SHARED).to(tl.int32)
    begin = block * BLOCK
    if begin > position:
        return
    channels = tl.arange(0, HEAD)
    heads = tl.arange(0, TILE_GROUP)
    is_head = heads < GROUP
    # Heads lie in the order of the KV heads that they share, so that slots and groups number them all.
    number = slot * GROUP + heads
    query = tl.load(queries + number[:, None] * HEAD + channels[None, :], mask=is_head[:, None], other=0.0)
    first = slot * BLOCKS * BLOCK * HEAD
    top = tl.full([TILE_GROUP], float("-inf"), tl.float32)
    total = tl.zeros([TILE_GROUP], tl.float32)
    result = tl.zeros([TILE_GROUP, HEAD], tl.float32)
    # Every tile has a live key, so that the maximum is always a number.
    for start in range(begin, tl.minimum(begin + BLOCK, position + 1), TILE):
        places = start + tl.arange(0, TILE)
        live = places <= position
        offsets = places[:, None] * HEAD + channels[None, :]
        # What lies behind the position is not even read: it may be no number.
        key = tl.load(keys + first + offsets, mask=live[:, None], other=0.0)
        value = tl.load(values + first + offsets, mask=live[:, None], other=0.0)
        scores = tl.dot(query, tl.trans(key), input_precision="ieee")
        scores = tl.where(live[None, :], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        weights = tl.exp(scores - higher[:, None])
        shrink = tl.exp(top - higher)
        total = total * shrink + tl.sum(weights, 1)
        result = tl.dot(weights.to(value.dtype), value, result * shrink[:, None], input_precision="ieee")
        top = higher
    part = number * BLOCKS + block
    tl.store(largest + part, top, mask=is_head)
    tl.store(sums + part, total, mask=is_head)
    tl.store(seen + part[:, None] * HEAD + channels[None, :], result, mask=is_head[:, None])


@kernel
def _join_blocks(
    positions: tl.tensor,
    largest: tl.tensor,
    sums: tl.tensor,
    seen: tl.tensor,
    out: tl.tensor,
    HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    BLOCKS: tl.constexpr,
    TILE_BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
    TOGETHER: tl.constexpr,
) -> None:
    """One query head of one row: its live blocks, one after the other."""
    number = tl.program_id(0).to(tl.int64)
    position = tl.load(positions + number // HEADS).to(tl.int32)
    # Counted so that it is right of negative ones too, however they are divided.
    live = (position + BLOCK) // BLOCK
    first = number * BLOCKS
    every = tl.arange(0, TILE_BLOCKS)
    top = tl.max(tl.load(largest + first + every, mask=every < live, other=float("-inf")), 0)
    channels = tl.arange(0, HEAD)
    total = tl.zeros([1], tl.float32)
    result = tl.zeros([HEAD], tl.float32)
    for start in range(0, live, TOGETHER):
        for step in tl.static_range(TOGETHER):
            block = first + start + step
            is_live = start + step < live
            # A dead one weighs exactly nothing, and what its scratch holds is not read.
            weight = tl.exp(tl.load(largest + block, mask=is_live, other=float("-inf")) - top)
            total += weight * tl.load(sums + block, mask=is_live, other=0.0)
            result += weight * tl.load(seen + block * HEAD + channels, mask=is_live, other=0.0)
    # A row that takes no part has nothing to be divided.
    joined = result / tl.where(live > 0, total, 1.0)
    tl.store(out + number * HEAD + channels, joined.to(out.dtype.element_ty))
