"""Causal attention of a stretch of one row's positions over that row's cache: a program for some queries of one head.

Where the row and the stretch lie is read from the device. Tiles are cut from the stretch's and the row's own first
position on, so that bits follow from these alone; keys behind a program's queries are not read.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.base import STRETCH_TILE
from streamer.engines.glm.kernels.launch import Launch, check, kernel


def stretch_attention(queries: Tensor, keys: Tensor, values: Tensor, place: Tensor, out: Tensor) -> Launch:
    """`queries`: [T, H, D], T a multiple of STRETCH_TILE. `keys`, `values`: [R, K, P, D]. `place`: [3], the row, the
    first position, the live ones. `out`: [T, H * D]. D is a power of two from 16 on."""
    length, heads, head = queries.shape
    rows, shared, positions, _ = keys.shape
    tiles = length // STRETCH_TILE
    check(queries, "queries", tiles * STRETCH_TILE, heads, head)
    for name, tensor in (("keys", keys), ("values", values)):
        check(tensor, name, rows, shared, positions, head)
    check(place, "place", 3)
    check(out, "out", length, heads * head)
    wide = queries.dtype == torch.float32
    return Launch(
        _stretch_attention,
        (tiles, heads),
        (queries, keys, values, place, out),
        {
            "HEADS": heads,
            "SHARED": shared,
            "HEAD": head,
            "POSITIONS": positions,
            "QUERIES": STRETCH_TILE,
            # As in decode_attention.
            "TILE": 32 if wide else 64,
        },
        stages=2 if wide else 3,
    )


@kernel
def _stretch_attention(
    queries: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    place: tl.tensor,
    out: tl.tensor,
    HEADS: tl.constexpr,
    SHARED: tl.constexpr,
    HEAD: tl.constexpr,
    POSITIONS: tl.constexpr,
    QUERIES: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    """Softmax by a running maximum, over tiles of keys."""
    first = tl.program_id(0) * QUERIES
    head = tl.program_id(1)
    row = tl.load(place).to(tl.int64)
    begin = tl.load(place + 1).to(tl.int32)
    live = tl.load(place + 2).to(tl.int32)
    index = first + tl.arange(0, QUERIES)
    channels = tl.arange(0, HEAD)
    spots = (index[:, None] * HEADS + head) * HEAD + channels[None, :]
    query = tl.load(queries + spots)
    # Padding sees what the last live position does, so that its maximum is a number; it comes out as zero. Where all
    # of a tile is padding, nothing is seen.
    newest = begin + tl.minimum(index, live - 1)
    end = tl.where(first < live, begin + tl.minimum(first + QUERIES, live), 0)
    own = (row * SHARED + head // (HEADS // SHARED)) * POSITIONS * HEAD
    top = tl.full([QUERIES], float("-inf"), tl.float32)
    total = tl.zeros([QUERIES], tl.float32)
    result = tl.zeros([QUERIES, HEAD], tl.float32)
    # The first tile has a live key for every query, so that the maximum is always a number.
    for start in range(0, end, TILE):
        places = start + tl.arange(0, TILE)
        written = places < end
        offsets = places[:, None] * HEAD + channels[None, :]
        # What lies behind is not even read: it may be no number.
        key = tl.load(keys + own + offsets, mask=written[:, None], other=0.0)
        value = tl.load(values + own + offsets, mask=written[:, None], other=0.0)
        scores = tl.dot(query, tl.trans(key), input_precision="ieee")
        scores = tl.where(places[None, :] <= newest[:, None], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        weights = tl.exp(scores - higher[:, None])
        shrink = tl.exp(top - higher)
        total = total * shrink + tl.sum(weights, 1)
        result = tl.dot(weights.to(value.dtype), value, result * shrink[:, None], input_precision="ieee")
        top = higher
    is_live = index < live
    seen = tl.where(is_live[:, None], result / tl.where(is_live, total, 1.0)[:, None], 0.0)
    tl.store(out + spots, seen.to(out.dtype.element_ty))
