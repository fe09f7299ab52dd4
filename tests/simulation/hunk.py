"""A change of one place of the shipped code."""

from __future__ import annotations

from typing import NamedTuple


class Hunk(NamedTuple):
    file: str
    """Under streamer/."""
    old: str
    """Stands there once."""
    new: str
