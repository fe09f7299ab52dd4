"""The shape table: in which length a piece is computed. It follows from the piece alone, never from its neighbours,
or else the same request would be other bytes in other company (README, "Design")."""

from __future__ import annotations

VERSION = 1
"""Changes with the table; part of the engine's revision."""
_LEAST = 32
_PARTS = 8
"""Steps from a power of two to the next: beyond 256, padding costs an eighth at most."""


def bucket(length: int) -> int:
    """The smallest length of the table that holds `length` (from 1): 32, 64, … 512, 576, … 1024, 1152, …"""
    power = 1 << (max(length, 2) - 1).bit_length() - 1
    step = max(_LEAST, power // _PARTS)
    return -(-length // step) * step
