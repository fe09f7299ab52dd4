"""Philox4x32-10, a generator without state: four random words are a function of a key and a counter.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The same bits
come out on every device and in any order, for all of it is integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 14
"""Counters advanced at once on a CPU; what is in work then stays in a core's cache."""
_CHUNK_OF_GPU = 1 << 22
"""On a GPU launching the kernels is what costs."""

Word = int | Tensor
"""32 bits without sign: a number, or int64 tensors of them. Numbers and tensors mix."""
Words = tuple[Word, Word, Word, Word]


def philox(key: int, counter: Words) -> Words:
    """The block of random words at `counter` under a `key` of 64 bits."""
    zero, one, two, three = counter
    low, high = key & _MASK, key >> 32 & _MASK
    for _ in range(_ROUNDS):
        # A product has up to 64 bits. In int64 it wraps around, which leaves those bits as they are.
        first, second = zero * _MULTIPLIERS[0], two * _MULTIPLIERS[1]
        zero, two = second >> 32 & _MASK ^ one ^ low, first >> 32 & _MASK ^ three ^ high
        one, three = second & _MASK, first & _MASK
        low, high = low + _WEYL[0] & _MASK, high + _WEYL[1] & _MASK
    return zero, one, two, three


class Stream(NamedTuple):
    """Counters (0, 0, purpose, number), (1, 0, purpose, number), … under one key."""

    key: int
    """64 bits."""
    purpose: int
    number: int
    device: torch.device | str = "cpu"

    def uniforms(self, count: int) -> Tensor:
        """[count, 2] float64 in [0, 1): multiples of 2^-53, all equally likely."""
        numbers = torch.empty(count, 2, dtype=torch.float64, device=self.device)
        for start, words in self._chunks(count):
            chunk = numbers[start : start + self._chunk]
            for column, (high, low) in enumerate(zip(words[::2], words[1::2], strict=True)):
                chunk[:, column] = ((high >> 5 << 26) + (low >> 6)).to(torch.float64) * 2.0**-53
        return numbers

    def normals(self, count: int) -> Tensor:
        """[count, 4] float32, normally distributed (G. Box, M. Muller, 1958), 6.7 at most."""
        numbers = torch.empty(count, 4, dtype=torch.float32, device=self.device)
        for start, words in self._chunks(count):
            chunk = numbers[start : start + self._chunk]
            for column, (first, second) in enumerate(zip(words[::2], words[1::2], strict=True)):
                # In float64, or else small radii would come in visible steps.
                radius = ((first + 1).to(torch.float64) * 2.0**-32).log_().mul_(-2.0).sqrt_()
                angle = second.to(torch.float64) * (2.0 * math.pi * 2.0**-32)
                chunk[:, 2 * column] = angle.cos() * radius
                chunk[:, 2 * column + 1] = angle.sin_() * radius
        return numbers

    @property
    def _chunk(self) -> int:
        return _CHUNK if torch.device(self.device).type == "cpu" else _CHUNK_OF_GPU

    def _chunks(self, count: int) -> Iterator[tuple[int, list[Tensor]]]:
        for start in range(0, count, self._chunk):
            index = torch.arange(start, min(start + self._chunk, count), device=self.device)
            words = philox(self.key, (index, 0, self.purpose, self.number))
            # All four came to depend on the index in the first rounds.
            yield start, [torch.as_tensor(word) for word in words]
