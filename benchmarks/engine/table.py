"""The printed table of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.engine.comparison import equals
from benchmarks.engine.order import Figures

_STAGES = ("LLM", "flow", "vocoder", "text and voice", "files")
COLUMNS = (
    "way",
    "audio-s/s",
    "×",
    "first (s)",
    "wall (s)",
    "texts",
    "LLM/flow/vocoder/text/files %",
    "MiB",
    "idle %",
    "step ×",
    "same bytes",
)
WIDTH = 140


class Way(NamedTuple):
    name: str
    """Of the profile, or how else it is spoken."""
    concurrency: int
    figures: Figures


def rows(alone: Way, ours: Sequence[Way]) -> Iterator[tuple[object, ...]]:
    """`alone`: one at a time, whose rate is 1."""
    yield _row(alone, alone, "-")
    for place, way in enumerate(ours):
        earlier = [other.figures for other in ours[:place] if other.name == way.name]
        yield _row(way, alone, equals(way.figures, earlier))


def _row(way: Way, alone: Way, same: str) -> tuple[object, ...]:
    figures = way.figures
    step = "-" if figures.step is None else f"{figures.step.seconds / figures.step.least:.2f}"
    memory = figures.rss if figures.allocated is None else figures.allocated
    return (
        way.name if way is alone else f"{way.name}, {way.concurrency} at once",
        float(f"{figures.rate:.4g}"),
        round(figures.rate / alone.figures.rate, 2),
        round(figures.first, 2),
        round(figures.wall, 2),
        len(figures.audio),
        shares(figures),
        round(memory / 2**20),
        "-" if figures.idle is None else round(100 * figures.idle, 1),
        step,
        same,
    )


def shares(figures: Figures) -> str:
    """Percent of all stages' time."""
    found = figures.shares
    return "/".join(f"{100 * found[name]:.0f}" if name in found else "-" for name in _STAGES)
