"""Philox4x32-10, a generator without state: four random words are a function of a key and a counter.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The same bits
come out on every device and in any order, for all of it is integer arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 14
"""Counters advanced at once; what is in work then stays in a core's cache."""

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


def blocks(key: int, purpose: int, stream: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """The blocks of counters (0, 0, purpose, stream) to (count - 1, 0, purpose, stream): [count, 4] int64."""
    words = torch.empty(count, 4, dtype=torch.int64, device=device)
    for start in range(0, count, _CHUNK):
        index = torch.arange(start, min(start + _CHUNK, count), device=device)
        for column, word in enumerate(philox(key, (index, 0, purpose, stream))):
            words[start : start + _CHUNK, column] = word
    return words


def uniforms(words: Tensor) -> Tensor:
    """Two words each → [..., W / 2] float64 in [0, 1): multiples of 2^-53, all equally likely."""
    high, low = words[..., 0::2] >> 5, words[..., 1::2] >> 6
    return ((high << 26) + low).to(torch.float64) * 2.0**-53


def normals(words: Tensor) -> Tensor:
    """Two words each → two normally distributed numbers (Box and Muller 1958), [..., W] float32, 6.7 at most."""
    # In float64, or else small radii would come in visible steps.
    radius = (words[..., 0::2] + 1).to(torch.float64).mul_(2.0**-32).log_().mul_(-2.0).sqrt_()
    angle = words[..., 1::2].to(torch.float64).mul_(2.0 * torch.pi * 2.0**-32)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1).flatten(-2).to(torch.float32)
