"""Attention of one layer: over a whole prompt, or of one position of every row over the cache.

Decoding goes over keys in blocks of a fixed size, each in the same shape whatever the rows hold, and adds them up in
their order. A block behind a row's position adds exact zeros, so that a row's bits know nothing of how far its
neighbours reach.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.llm.cache import KvCache, Reach
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.products import multiplied
from streamer.engines.glm.llm.rope import Angles, rotate


class Attention:
    """Grouped-query attention; query heads share a KV head in order, H / K each."""

    def __init__(self, config: LlamaConfig, layer: int, dtype: torch.dtype, device: torch.device) -> None:
        self._layer = layer
        self._queries, self._shared = config.num_attention_heads, config.num_key_value_heads
        self._head = config.head
        self._scale = config.head**-0.5
        width = (self._queries + 2 * self._shared) * self._head
        self.joint = torch.empty(width, config.hidden_size, dtype=dtype, device=device)
        """Rows: queries, keys, values."""
        self.output = torch.empty(config.hidden_size, self._queries * self._head, dtype=dtype, device=device)

    def prefill(self, inputs: Tensor, angles: Angles, cache: KvCache, row: int) -> Tensor:
        """[T, hidden] → [T, hidden], causal; keys and values go to `row` of the cache."""
        queries, keys, values = (part.transpose(0, 1) for part in self._project(inputs, angles))
        cache.fill(self._layer, row, keys, values)
        seen = functional.scaled_dot_product_attention(
            queries[None], keys[None], values[None], is_causal=True, scale=1.0, enable_gqa=True
        )
        return multiplied(seen[0].transpose(0, 1).flatten(1), self.output)

    def decode(self, inputs: Tensor, angles: Angles, cache: KvCache, reach: Reach) -> Tensor:
        """[R, hidden] → [R, hidden], each row at its own position."""
        queries, keys, values = self._project(inputs, angles)
        cache.put(self._layer, reach, keys, values)
        seen = attend(
            queries.reshape(len(inputs) * self._shared, -1, self._head), *cache.blocks(self._layer), reach.dead
        )
        return multiplied(seen.view(len(inputs), -1), self.output)

    def _project(self, inputs: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """[T, hidden] → queries, scaled already, [T, H, head]; keys and values [T, K, head]."""
        heads = multiplied(inputs, self.joint).view(len(inputs), -1, self._head)
        turned = rotate(heads[:, : -self._shared], angles)
        turned[:, : self._queries] *= self._scale
        turned = turned.to(inputs.dtype)
        return turned[:, : self._queries], turned[:, self._queries :], heads[:, -self._shared :]


def attend(queries: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], dead: Tensor) -> Tensor:
    """softmax(q k) v over the first n blocks, in float32 but for the products.

    `queries`: [B, G, D], scaled. `keys`: [B, D, block] each, `values`: [B, block, D] each. `dead`: [n, B, 1, block];
    a row has a live key in some block. Result: [B, G, D].
    """
    blocks = range(len(dead))
    shape = len(blocks), *queries.shape[:2], dead.shape[3]
    products = torch.empty(shape, dtype=queries.dtype, device=queries.device)
    for block in blocks:
        torch.bmm(queries, keys[block], out=products[block])
    scores = products.to(torch.float32).masked_fill_(dead, -torch.inf)
    # The maximum is the same in any order; sums are not, so that blocks are added one after the other.
    weights = scores.sub_(scores.amax(0).amax(-1, keepdim=True)).exp_()
    shares = weights.to(queries.dtype)
    sums = weights[0]
    seen = torch.bmm(shares[0], values[0]).to(torch.float32)
    for block in blocks[1:]:
        sums = sums + weights[block]
        seen += torch.bmm(shares[block], values[block])
    return (seen / sums.sum(-1, keepdim=True)).to(queries.dtype)
