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
from streamer.engines.glm.llm.rooms import Rooms


class DecodeStep:
    """Of R rows, whose keys and values are in `cache`."""

    def __init__(self, model: Llama, cache: KvCache) -> None:
        self._model, self._cache = model, cache
        self._kernels = open_kernels(model.device, model.config.head)
        self._angles = model.angles(cache.positions)
        config, rows, device = model.config, cache.rows, model.device
        self._rooms = Rooms.of(model, self._kernels, rows)
        self._final = torch.zeros(rows, config.hidden_size, dtype=torch.float32, device=device)
        self._scratch = Scratch.of(rows, config.num_attention_heads, cache.positions, config.head, device)

    def run(self, ids: Tensor, positions: Tensor) -> Tensor:
        """One id of every row at its position, both [R] int64 → logits [R, columns] float32.

        A row at a negative position takes no part, and its logits mean nothing.
        """
        return multiplied(self.final(ids, positions), self._model.output)

    def final(self, ids: Tensor, positions: Tensor) -> Tensor:
        """What the logits are made of, behind the last norm: [R, hidden] float32, until the next call."""
        kernels, rooms = self._kernels, self._rooms
        cosine, sine = (part.squeeze(1) for part in self._angles)
        rooms.enter(ids)
        left_open: Tensor | None = None
        for number, layer in enumerate(self._model.layers):
            keys, values = self._cache.layer(number)
            projected = rooms.projected(layer, left_open)
            kernels.rotate_and_store(projected, cosine, sine, positions, keys, values, rooms.queries)
            kernels.decode_attention(rooms.queries, keys, values, positions, self._scratch, rooms.seen)
            left_open = rooms.left_open(layer)
        epsilon = self._model.config.rms_norm_eps
        kernels.add_rms_norm(rooms.residual, left_open, self._model.norm, epsilon, self._final)
        return self._final
