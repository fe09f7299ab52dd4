"""Keys and values of every row, allocated once: [layers, rows, KV heads, positions, head].

A row's slot holds what its last occupant left there; nothing reads beyond a row's own positions, but what is masked is
still multiplied by zero, so that it must be finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.engines.glm.llm.config import LlamaConfig

BLOCK = 256
"""Keys that are read at once. The split is the same for every row and length: a part of what the bits depend on."""


class KvCache:
    def __init__(
        self, config: LlamaConfig, rows: int, positions: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """`positions` of each row are rounded up to whole blocks."""
        self.rows = rows
        self.positions = -(-positions // BLOCK) * BLOCK
        shape = config.num_hidden_layers, rows, config.num_key_value_heads, self.positions, config.head
        self._keys = torch.zeros(shape, dtype=dtype, device=device)
        self._values = torch.zeros(shape, dtype=dtype, device=device)
        self._layers = list(zip(self._keys, self._values, strict=True))

    def fill(self, layer: int, row: int, keys: Tensor, values: Tensor, begin: int = 0) -> None:
        """Positions of a row from `begin` on. Both: [KV heads, T, head]."""
        end = begin + keys.shape[1]
        self._keys[layer, row, :, begin:end] = keys
        self._values[layer, row, :, begin:end] = values

    def first(self, layer: int, row: int, count: int) -> tuple[Tensor, Tensor]:
        """Keys and values of a row's first positions, [KV heads, count, head]."""
        return self._keys[layer, row, :, :count], self._values[layer, row, :, :count]

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Keys and values of all rows, [rows, KV heads, positions, head]."""
        return self._layers[number]

    def clear(self, row: int) -> None:
        """Make a row finite again."""
        self._keys[:, row] = 0.0
        self._values[:, row] = 0.0
