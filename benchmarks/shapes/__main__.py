"""`python -m benchmarks.shapes`: what shapes that depend on the request alone cost the engine glm, on a CPU.

Each stage does the same work twice: in the shape that it would have if it were free to choose, and in the fixed one.
Weights are those of a tiny checkpoint, made for the run, and random ones of the official sizes. Time is one thread's
own CPU time, the best of `--repeats`, so that a busy machine changes little; where both shapes are the same, the ratio
shows what it changes. Last, the whole engine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import torch

from benchmarks.report import publish
from benchmarks.shapes import engine, flow, llm, vocoder
from benchmarks.shapes.comparison import Comparison, Cost, measured
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.folder import make_tiny
from streamer.engines.glm.precision import exact
from streamer.engines.glm.shapes import VERSION
from streamer.engines.glm.text.front import TextFront

_COLUMNS = ("stage", "weights", "free shape", "fixed shape", "free (ms)", "fixed (ms)", "×")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    exact()
    with tempfile.TemporaryDirectory() as folder:
        layout, cache = Layout(Path(folder) / "tiny"), Path(folder) / "cache"
        make_tiny(layout.root)
        rows = list(_rows(_stages(layout, cache), repeats))
        alone, shared = (engine.Spoken(layout, cache, count) for count in (1, llm.ROWS))
        rows += _rows([engine.comparison(alone, shared)], repeats)
    publish(
        "shapes",
        "CPU time of fixed shapes against free ones",
        _COLUMNS,
        rows,
        threads=1,
        precision="fp32",
        torch=torch.__version__,
        shape_table=VERSION,
        repeats=repeats,
        engine_speech_seconds={"free": round(alone.seconds, 2), "fixed": round(shared.seconds, 2)},
    )


def _stages(layout: Layout, cache: Path) -> Iterator[Comparison]:
    front = TextFront.open(layout, None, cache)
    tiny = llm.tiny(layout, front), flow.tiny(layout), vocoder.tiny(layout)
    return chain(*tiny, llm.official(), flow.official(), vocoder.official())


def _rows(comparisons: Iterable[Comparison], repeats: int) -> Iterator[tuple[object, ...]]:
    for comparison in comparisons:
        yield _row(comparison, measured(comparison, repeats))


def _row(comparison: Comparison, cost: Cost) -> tuple[object, ...]:
    free, fixed = (round(1_000 * seconds, 1) for seconds in cost)
    ratio = round(cost.fixed / cost.free, 2)
    row = comparison.stage, comparison.weights, comparison.free_shape, comparison.fixed_shape, free, fixed, ratio
    print(*row, flush=True)
    return row


if __name__ == "__main__":
    main()
