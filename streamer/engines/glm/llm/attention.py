"""Attention of one layer over an input, in torch's operations. Decoding is in step.py, a GPU's way in stretches.py."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.llm.cache import KvCache
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

    def prefill(self, inputs: Tensor, angles: Angles, cache: KvCache, row: int, begin: int) -> Tensor:
        """[T, hidden] → [T, hidden], causal: each position of a stretch sees itself and what is before it, also what
        lies before `begin` in the cache's `row`, to which its own keys and values go."""
        queries, keys, values = (part.transpose(0, 1) for part in self._project(inputs, angles))
        cache.fill(self._layer, row, keys, values, begin)
        mask = None
        if begin:
            keys, values = cache.first(self._layer, row, begin + len(inputs))
            mask = torch.ones(len(inputs), keys.shape[1], dtype=torch.bool, device=inputs.device).tril(begin)
        seen = functional.scaled_dot_product_attention(
            queries[None], keys[None], values[None], mask, is_causal=not begin, scale=1.0, enable_gqa=True
        )
        return multiplied(seen[0].transpose(0, 1).flatten(1), self.output)

    def _project(self, inputs: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """[T, hidden] → queries, scaled already, [T, H, head]; keys and values [T, K, head]."""
        heads = multiplied(inputs, self.joint).view(len(inputs), -1, self._head)
        turned = rotate(heads[:, : -self._shared], angles)
        turned[:, : self._queries] *= self._scale
        turned = turned.to(inputs.dtype)
        return turned[:, : self._queries], turned[:, self._queries :], heads[:, -self._shared :]
