"""What several ways said, held against each other and against what they were to say."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.engine.load import Text
from benchmarks.engine.order import Figures

_FRAME = 0.02
"""Seconds. Of some numbers of tokens the flow makes a frame less."""


def differing(ways: Sequence[Figures]) -> list[int]:
    """Utterances whose samples are not the same in all ways that spoke them."""
    found: dict[int, set[str]] = {}
    for way in ways:
        for number, sha256 in way.hashes.items():
            found.setdefault(number, set()).add(sha256)
    return sorted(number for number, hashes in found.items() if len(hashes) > 1)


def equals(way: Figures, earlier: Sequence[Figures]) -> str:
    """How many of its utterances are the same bytes as before, of how many that were spoken before."""
    before: dict[int, str] = {}
    for one in earlier:
        before = {**one.hashes, **before}
    compared = [number for number in way.hashes if number in before]
    same = sum(way.hashes[number] == before[number] for number in compared)
    return f"{same} of {len(compared)}" if compared else "-"


def wrong_lengths(way: Figures, texts: Sequence[Text]) -> list[str]:
    """Utterances that are not as long as their texts force them to be."""
    return [
        f"utterance {text.number} of {text.tokens} text tokens is {way.audio.get(text.number, 0.0):.2f} s long, "
        f"expected are {text.seconds:.2f} s"
        for text in texts
        if abs(way.audio.get(text.number, 0.0) - text.seconds) > 1.5 * _FRAME
    ]
