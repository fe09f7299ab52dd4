"""The shape table: in which length a piece is computed. It follows from the piece alone, never from its neighbours,
or else the same request would be other bytes in other company (README, "Design")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VERSION = 2
"""Changes with the table; part of the engine's revision."""
_LEAST = 32
_PARTS = 8
"""Steps from a power of two to the next: beyond 256, padding costs an eighth at most."""


_FRAMES = 1024
"""Frames for which a batch of the flow and the vocoder has all of its rows; of longer ones it has fewer."""


def bucket(length: int) -> int:
    """The smallest length of the table that holds `length` (from 1): 32, 64, … 512, 576, … 1024, 1152, …"""
    power = 1 << (max(length, 2) - 1).bit_length() - 1
    step = max(_LEAST, power // _PARTS)
    return -(-length // step) * step


def batch_shapes(most: int, rows: int) -> list[tuple[int, int]]:
    """Rows and length of every batch of the flow or the vocoder up to `most` frames, the longest first: what it takes
    serves the others. So in `dict()` of them stands the shortest length of each number of rows."""
    return [(batch_rows(length, rows), length) for length in reversed(buckets(most))]


def buckets(most: int) -> list[int]:
    """The lengths of the table up to the one that holds `most`."""
    table = [bucket(1)]
    while table[-1] < most:
        table.append(bucket(table[-1] + 1))
    return table


def computed_length(length: int, device: torch.device) -> int:
    """A bucket where kernels are captured and rows share a batch. On a CPU a piece has its batch for itself, and is
    computed as long as it is: padding would cost up to a fifth of the time."""
    return length if device.type == "cpu" else bucket(length)


def batch_rows(length: int, rows: int) -> int:
    """Of a batch of the flow or the vocoder in this length: `rows`, or as many as hold as many frames as `rows` of
    1,024 do; at least one."""
    return max(1, min(rows, rows * _FRAMES // length))
