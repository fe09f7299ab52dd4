"""Attention over the cache, block by block."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import Scratch
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.llm.cache import BLOCK, KvCache
from streamer.engines.glm.llm.config import LlamaConfig
from tests.engines.glm.llm.models import BF16, CPU, FP32, SIZES, WIDE

_DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16])
_POSITIONS = [0, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1]


def _filled(rows: int, dtype: torch.dtype, scale: float = 1.0) -> tuple[KvCache, Tensor]:
    """A cache full of seeded numbers, and queries [R * K, G, D]."""
    config = LlamaConfig(**WIDE)
    cache, generator = KvCache(config, rows, 3 * BLOCK, dtype, CPU), torch.Generator().manual_seed(3)
    shape = config.num_key_value_heads, cache.positions, config.head
    for row in range(rows):
        keys, values = (scale * torch.randn(shape, generator=generator) for _ in range(2))
        cache.fill(0, row, keys.to(dtype), values.to(dtype))
    groups = config.num_attention_heads // config.num_key_value_heads
    queries = torch.randn(rows * shape[0], groups, config.head, generator=generator) * config.head**-0.5
    return cache, queries.to(dtype)


def _seen(cache: KvCache, queries: Tensor, positions: list[int]) -> Tensor:
    """[R, K * G * D]."""
    rows, (keys, values) = len(positions), cache.layer(0)
    heads, head = len(queries) // rows * queries.shape[1], queries.shape[2]
    scratch = Scratch.of(rows, heads, cache.positions, head, CPU)
    out = torch.empty(rows, heads * head, dtype=queries.dtype)
    PlainKernels().decode_attention(
        queries.view(rows, heads, head), keys, values, torch.tensor(positions), scratch, out
    )
    return out


@_DTYPES
def test_it_is_a_softmax_over_the_keys_up_to_the_position(dtype: torch.dtype) -> None:
    cache, queries = _filled(len(_POSITIONS), dtype)
    heads = len(queries) // cache.rows
    seen = _seen(cache, queries, _POSITIONS).view(*queries.shape)
    keys, values = (part.flatten(0, 1) for part in cache.layer(0))
    for row, position in enumerate(_POSITIONS):
        part, length = slice(row * heads, row * heads + heads), position + 1
        scores = queries[part].double() @ keys[part, :length].double().mT
        expected = scores.softmax(-1) @ values[part, :length].double()
        torch.testing.assert_close(seen[part].double(), expected, atol=2e-6 if dtype == FP32 else 2e-2, rtol=0)


@_DTYPES
def test_blocks_behind_a_row_are_exactly_nothing(dtype: torch.dtype) -> None:
    """However far the step reaches for others, a row's bits stay."""
    for position in _POSITIONS:
        cache, queries = _filled(2, dtype)
        alone = _seen(cache, queries, [position, position])[0]
        for longest in range(position, 3 * BLOCK, 100):
            assert torch.equal(_seen(cache, queries, [position, longest])[0], alone)


@_DTYPES
def test_what_lies_behind_a_row_is_exactly_nothing(dtype: torch.dtype) -> None:
    """Whatever the slot's last occupant left there, even numbers near the largest."""
    cache, queries = _filled(2, dtype)
    before = _seen(cache, queries, [100, 300])
    keys, values = cache.layer(0)
    for row, position in ((0, 100), (1, 300)):
        keys[row, :, position + 1 :], values[row, :, position + 1 :] = 1e38, -1e38
    assert torch.equal(_seen(cache, queries, [100, 300]), before)


@_DTYPES
def test_a_row_is_the_same_in_every_slot_and_company(dtype: torch.dtype) -> None:
    rows, position = 5, 300
    cache, queries = _filled(rows, dtype)
    heads = len(queries) // rows
    keys, values = (part[0] for part in cache.layer(0))
    seen = []
    for row, others in enumerate(([7, 7, 7, 7, 7], [0, 0, 700, 0, 767], [600, 1, 0, 9, 3], [256] * 5, [511] * 5)):
        other, mine = _filled(rows, dtype, scale=row + 1.0)[0], queries.clone()
        mine[row * heads : row * heads + heads] = queries[:heads]
        other.fill(0, row, keys, values)
        seen.append(_seen(other, mine, [*others[:row], position, *others[row + 1 :]])[row])
    assert all(torch.equal(one, seen[0]) for one in seen)


def test_scores_that_differ_much() -> None:
    """Nothing overflows, and what weighs nothing is nothing."""
    cache, queries = _filled(1, FP32, scale=100.0)
    assert _seen(cache, queries * 50, [700]).isfinite().all()


def test_positions_are_rounded_up_to_blocks() -> None:
    assert KvCache(LlamaConfig(**SIZES), 1, BLOCK + 1, FP32, CPU).positions == 2 * BLOCK


def test_a_row_is_cleared_alone() -> None:
    cache, _ = _filled(2, FP32)
    cache.clear(0)
    for part in cache.layer(0):
        assert not part[0].any()
        assert part[1].all(dim=-1).any()
