"""What is spoken in one go."""

from __future__ import annotations

import msgspec


class Segment(msgspec.Struct, frozen=True):
    """`text`: as it was encoded, with its phoneme tokens. `ids`: never empty."""

    text: str
    ids: list[int]
