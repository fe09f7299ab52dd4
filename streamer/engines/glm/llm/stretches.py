"""An input, stretch by stretch, on a GPU: where its layers' kernels would be launched one by one, that would take the
host longer than they run. Each length that a stretch is padded to is one captured graph.

The length follows from the stretch alone. Where it lies is read from the device, and its keys are read as far as there
are some, so that one graph serves all rows and all that stands before.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from streamer.engines.glm.captured import Captured
from streamer.engines.glm.kernels.opening import open_kernels
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.rooms import Rooms
from streamer.engines.glm.shapes import bucket, buckets
from streamer.engines.glm.transfers import sent

STRETCH = 256
"""Positions of an input that are computed at once, between two tokens of those who speak already. A part of what the
bits depend on."""
_PLACE = 3
"""Numbers that tell where a stretch lies: its row, its first position, how many are live."""


class Stretches:
    """Into one cache, one after the other."""

    def __init__(self, model: Llama, cache: KvCache, pool: Any = None) -> None:
        """`pool`: see `Captured`."""
        self._model, self._cache = model, cache
        self._kernels = open_kernels(model.device, model.config.head)
        self._angles = model.angles(cache.positions)
        self._rooms = Rooms.of(model, self._kernels, STRETCH)
        # The place, then the ids: one copy brings both. While graphs are captured no position is live.
        self._given = torch.zeros(_PLACE + STRETCH, dtype=torch.int64, device=model.device)
        # The longest first: the others have room in the memory that it takes.
        lengths = reversed(buckets(STRETCH))
        self._captured = {length: Captured(partial(self._compute, length), model.device, pool) for length in lengths}

    def fill(self, ids: Tensor, row: int, begin: int) -> None:
        """Keys and values of a row's positions from `begin` on into the cache; those before are there already.

        `ids`: [T] int64 on the host, T from 1 to STRETCH. `begin`: a multiple of STRETCH, so that what it is padded to
        lies within the row too; of padding nothing is written.
        """
        length = bucket(len(ids))
        given = torch.zeros(_PLACE + length, dtype=torch.int64)
        given[:_PLACE] = torch.tensor([row, begin, len(ids)])
        given[_PLACE : _PLACE + len(ids)] = ids
        self._given[: len(given)].copy_(sent(given, self._model.device))
        self._captured[length]()

    def _compute(self, length: int) -> None:
        """Every layer but the last, of which nobody reads more than keys and values."""
        kernels, rooms = self._kernels, self._rooms.first(length)
        place, ids = self._given[:_PLACE], self._given[_PLACE : _PLACE + length]
        cosine, sine = (part.squeeze(1) for part in self._angles)
        last = len(self._model.layers) - 1
        rooms.enter(ids)
        left_open: Tensor | None = None
        for number, layer in enumerate(self._model.layers):
            keys, values = self._cache.layer(number)
            projected = rooms.projected(layer, left_open)
            kernels.rotate_and_store_stretch(projected, cosine, sine, place, keys, values, rooms.queries)
            if number < last:
                kernels.stretch_attention(rooms.queries, keys, values, place, rooms.seen)
                left_open = rooms.left_open(layer)
