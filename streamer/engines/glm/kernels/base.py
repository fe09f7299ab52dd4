"""The interface of the kernels of a decode step, and of a stretch of an input.

A layer of the LLM is, with R rows of which each stands at a position of its own:

    add_rms_norm → linear → rotate_and_store → decode_attention → linear → add_rms_norm → linear → swiglu → linear

and the sum that its end leaves open is the next layer's first (or the last norm's). Of T positions of one row, one
behind the other, it is the same with rotate_and_store_stretch and stretch_attention.

What all of it promises: a row's bits depend on this row's numbers and position alone; shapes are the same at every
step, and of a stretch follow from T; nothing is asked of the device, so that both can be captured as a CUDA graph, once
they have run outside of one. Tensors are contiguous; outputs are given by the caller and share no memory with inputs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from streamer.engines.glm.llm.cache import BLOCK

STRETCH_TILE = 32
"""Queries that a program of `stretch_attention` computes, whatever the stretch: a part of what the bits depend on."""


class Scratch(NamedTuple):
    """What decode_attention puts down for itself between two kernels; float32. One serves all layers, one after the
    other. H query heads, n blocks of the cache."""

    largest: Tensor
    """[R, H, n]: the highest score in a block."""
    sums: Tensor
    """[R, H, n]: of the weights relative to it."""
    seen: Tensor
    """[R, H, n, D]: values, weighted so."""

    @classmethod
    def of(cls, rows: int, heads: int, positions: int, head: int, device: torch.device) -> Scratch:
        """`positions`: of the cache, whole blocks."""
        shape = rows, heads, positions // BLOCK
        largest, sums = (torch.zeros(shape, dtype=torch.float32, device=device) for _ in range(2))
        return cls(largest, sums, torch.zeros(*shape, head, dtype=torch.float32, device=device))


class StepKernels(Protocol):
    """R rows, H query heads, K KV heads of D channels, P positions of the cache (whole blocks).

    `positions`: [R] int64 or int32 on the device, where each row's newest key belongs, below P. A negative one is that
    of a row which takes no part: nothing of its cache is read or written, its queries mean nothing, and its attention
    is zero.
    """

    def rotate_and_store(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        positions: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        """Turn queries and keys by their position; keys and values into the cache.

        `projected`: [R, (H + 2 K) * D], queries before keys before values. `cosine`, `sine`: [at least P, D / 2]
        float32. `keys`, `values`: of one layer's cache, [R, K, P, D], of which one position a row is written.
        `queries`: [R, H, D], out, scaled by D^-0.5 before they are rounded. Source: J. Su et al., "RoFormer", 2021.
        """

    def decode_attention(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scratch: Scratch, out: Tensor
    ) -> None:
        """softmax(q k) v over the keys up to each row's position. Query heads share a KV head in order, H / K each.

        `queries`: [R, H, D], turned and scaled. `keys`, `values`: [R, K, P, D], whose numbers behind a row's position
        are finite. `out`: [R, H * D].

        Keys are read in blocks of `cache.BLOCK`; what each gives is added up in their order, in float32. Source for
        joining them: T. Dao et al., "FlashAttention", 2022; "Flash-Decoding", 2023.
        """

    def rotate_and_store_stretch(
        self,
        projected: Tensor,
        cosine: Tensor,
        sine: Tensor,
        place: Tensor,
        keys: Tensor,
        values: Tensor,
        queries: Tensor,
    ) -> None:
        """As `rotate_and_store`, of T positions of one row.

        `place`: [3] int64 on the device: the row, the position of the first, and how many of the T are live. What is
        behind them is padding: nothing of it is written to the cache, and its queries mean nothing. Begin + T is at
        most P. `projected`: [T, (H + 2 K) * D]. `queries`: [T, H, D], out.
        """

    def stretch_attention(self, queries: Tensor, keys: Tensor, values: Tensor, place: Tensor, out: Tensor) -> None:
        """softmax(q k) v of each position over the row's keys up to it; zero of padding.

        `queries`: [T, H, D], turned and scaled, T a multiple of STRETCH_TILE. `place`: as above. `keys`, `values`:
        [R, K, P, D], whose numbers behind the live positions are finite. `out`: [T, H * D].

        Keys are read in blocks of one size from the row's first on, and what each gives is added up in their order, in
        float32. Source: as of `decode_attention`.
        """

    def swiglu(self, gate_up: Tensor, out: Tensor) -> None:
        """silu(gate) * up. `gate_up`: [R, 2 * I], the gate first. `out`: [R, I].

        Source: N. Shazeer, "GLU Variants Improve Transformer", 2020.
        """

    def add_rms_norm(self, residual: Tensor, delta: Tensor | None, weight: Tensor, epsilon: float, out: Tensor) -> None:
        """residual += delta, rounded; out = residual / sqrt(mean(residual^2) + epsilon) * weight, rounded once.

        `residual`, `delta`, `out`: [R, hidden]; `weight`: [hidden]. `out` and `weight` may have another precision. No
        `delta`: the residual stays. Source: B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", 2019.
        """


def power_of_two(number: int) -> int:
    """The lowest that is no less: the extent of a tile, which Triton has in no other sizes."""
    return 1 << (number - 1).bit_length()
