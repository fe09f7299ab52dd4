"""One pass of every row through all layers, at the row's own position: what is launched for every token.

All that it writes lies at fixed places, so that it can be captured as a CUDA graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import Scratch
from streamer.engines.glm.kernels.opening import open_kernels
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.products import multiplied


class DecodeStep:
    """Of R rows, whose keys and values are in `cache`."""

    def __init__(self, model: Llama, cache: KvCache) -> None:
        self._model, self._cache = model, cache
        self._kernels = open_kernels(model.device, model.config.head)
        self._angles = model.angles(cache.positions)
        config, rows, device = model.config, cache.rows, model.device
        heads, hidden = config.num_attention_heads, config.hidden_size

        def room(*shape: int, dtype: torch.dtype = model.dtype) -> Tensor:
            return torch.zeros(rows, *shape, dtype=dtype, device=device)

        self._residual, self._normed = room(hidden), room(hidden)
        self._queries, self._seen = room(heads, config.head), room(heads * config.head)
        self._opened = room(config.intermediate_size)
        self._final = room(hidden, dtype=torch.float32)
        self._scratch = Scratch.of(rows, heads, cache.positions, config.head, device)

    def run(self, ids: Tensor, positions: Tensor) -> Tensor:
        """One id of every row at its position, both [R] int64 → logits [R, columns] float32.

        A row at a negative position takes no part, and its logits mean nothing.
        """
        return multiplied(self.final(ids, positions), self._model.output)

    def final(self, ids: Tensor, positions: Tensor) -> Tensor:
        """What the logits are made of, behind the last norm: [R, hidden] float32, until the next call."""
        kernels, residual, normed = self._kernels, self._residual, self._normed
        epsilon = self._model.config.rms_norm_eps
        torch.index_select(self._model.embedding, 0, ids, out=residual)
        cosine, sine = (part.squeeze(1) for part in self._angles)
        left_open: Tensor | None = None
        for number, layer in enumerate(self._model.layers):
            keys, values = self._cache.layer(number)
            kernels.add_rms_norm(residual, left_open, layer.before_attention, epsilon, normed)
            projected = multiplied(normed, layer.attention.joint)
            kernels.rotate_and_store(projected, cosine, sine, positions, keys, values, self._queries)
            kernels.decode_attention(self._queries, keys, values, positions, self._scratch, self._seen)
            seen = multiplied(self._seen, layer.attention.output)
            kernels.add_rms_norm(residual, seen, layer.before_gate, epsilon, normed)
            kernels.swiglu(multiplied(normed, layer.gate_up), self._opened)
            left_open = multiplied(self._opened, layer.down)
        kernels.add_rms_norm(residual, left_open, self._model.norm, epsilon, self._final)
        return self._final
