"""The same work in the shape that it is free to have and in the one of the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Comparison(NamedTuple):
    """`free` and `fixed` do the work once."""

    stage: str
    weights: str
    free_shape: str
    fixed_shape: str
    free: Callable[[], object]
    fixed: Callable[[], object]
    often: int = 1
    """How many times more repeats it takes, where it is short."""


SHORT = 5
"""`often` of whatever the tiny model does."""


class Cost(NamedTuple):
    """CPU seconds of the work done once."""

    free: float
    fixed: float


def measured(comparison: Comparison, repeats: int) -> Cost:
    """The best of `repeats`, the two by turns, so that what else the machine does meets both alike."""
    ways = comparison.free, comparison.fixed
    for way in ways:
        way()
    seconds = [[_seconds(way) for way in ways] for _ in range(repeats * comparison.often)]
    return Cost(*(min(each) for each in zip(*seconds, strict=True)))


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
