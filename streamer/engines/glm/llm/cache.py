"""Keys and values of every row, allocated once: [layers, rows, KV heads, positions, head].

A row's slot holds what its last occupant left there; nothing reads beyond a row's own positions, but what is masked is
still multiplied by zero, so that it must be finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.llm.config import LlamaConfig

BLOCK = 256
"""Keys that are read at once. The split is the same for every row and length: a part of what the bits depend on."""


class Reach(NamedTuple):
    """What one decode step reads and writes, the same in all layers; R rows, K KV heads, n blocks."""

    places: Tensor
    """[R * K] int64: where the step's own key and value go."""
    dead: Tensor
    """[n, R * K, 1, BLOCK] bool: keys that lie behind their row's position."""


class KvCache:
    def __init__(
        self, config: LlamaConfig, rows: int, positions: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        """`positions` of each row are rounded up to whole blocks."""
        self.rows = rows
        self.positions = -(-positions // BLOCK) * BLOCK
        self._heads = config.num_key_value_heads
        shape = config.num_hidden_layers, rows, self._heads, self.positions, config.head
        self._keys = torch.zeros(shape, dtype=dtype, device=device)
        self._values = torch.zeros(shape, dtype=dtype, device=device)
        # Views are made once: a step reads hundreds of them.
        self._flat = [(keys.flatten(0, 2), values.flatten(0, 2)) for keys, values in self._layers()]
        self._blocks = [([key.mT for key in _cut(keys)], list(_cut(values))) for keys, values in self._layers()]
        self._key_index = torch.arange(self.positions, device=device).view(-1, 1, 1, BLOCK)
        self._slots = torch.arange(rows * self._heads, device=device) * self.positions

    def fill(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Positions 0 to T - 1 of a row. Both: [KV heads, T, head]."""
        length = keys.shape[1]
        self._keys[layer, row, :, :length] = keys
        self._values[layer, row, :, :length] = values

    def reach(self, positions: Tensor, longest: int) -> Reach:
        """Of a step at these positions, [R] int64, the largest of which is `longest`."""
        blocks = longest // BLOCK + 1
        of_heads = positions.repeat_interleave(self._heads)
        return Reach(self._slots + of_heads, self._key_index[:blocks] > of_heads.view(1, -1, 1, 1))

    def put(self, layer: int, reach: Reach, keys: Tensor, values: Tensor) -> None:
        """One position of every row. Both: [R, KV heads, head]."""
        flat_keys, flat_values = self._flat[layer]
        flat_keys.index_copy_(0, reach.places, keys.flatten(0, 1))
        flat_values.index_copy_(0, reach.places, values.flatten(0, 1))

    def blocks(self, layer: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Views, block by block: keys [R * K, head, BLOCK], values [R * K, BLOCK, head]."""
        return self._blocks[layer]

    def clear(self, row: int) -> None:
        """Make a row finite again."""
        self._keys[:, row] = 0.0
        self._values[:, row] = 0.0

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self._keys, self._values, strict=True))


def _cut(layer: Tensor) -> Sequence[Tensor]:
    """[R, K, positions, head] → views [R * K, BLOCK, head]."""
    flat = layer.flatten(0, 1)
    return [flat[:, start : start + BLOCK] for start in range(0, flat.shape[1], BLOCK)]
