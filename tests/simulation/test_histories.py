"""Thousands of seeded histories keep the promise, and each kind of fault is met by enough of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.faults import FAULTS
from tests.simulation.histories import history
from tests.simulation.shared import Shared

_LEAST_SHARE = 0.05
_PART = 250
"""Histories that one process lives at a time."""
# Taken out at once: settings, and child processes with them, refuse variables of this prefix that are none of theirs.
_COUNT = int(os.environ.pop("STREAMER_TEST_HISTORIES", "1200"))
_FIRST_SEED = int(os.environ.pop("STREAMER_TEST_FIRST_SEED", "0"))


def lived(seeds: range) -> tuple[Counter[str], dict[int, list[str]]]:
    """How many histories saw each fault, and what was wrong with those that broke the promise."""
    shared, seen, broken = Shared(), Counter[str](), {}
    for seed in seeds:
        world, problems = history(seed, shared)
        seen.update(world.seen)
        if problems:
            broken[seed] = problems
    return seen, broken


def test_histories(capsys: object) -> None:
    """STREAMER_TEST_HISTORIES sets how many, STREAMER_TEST_FIRST_SEED where they begin (`make soak`)."""
    count, end = _COUNT, _FIRST_SEED + _COUNT
    seen: Counter[str] = Counter()
    broken: dict[int, list[str]] = {}
    parts = [range(first, min(first + _PART, end)) for first in range(_FIRST_SEED, end, _PART)]
    # Not forked: this process may have Kafka clients, and their threads, of other tests.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        for met, found in pool.map(lived, parts):
            seen.update(met)
            broken |= found
    with capsys.disabled():  # type: ignore[attr-defined]
        print(f"\n{count} histories; how many saw each fault with a record admitted and uncommitted:")
        for fault in FAULTS:
            print(f"  {fault:32} {seen[fault]:6} {seen[fault] / count:6.1%}")
    assert not broken, f"run again with `python -m tests.simulation.histories SEED 1`: {broken}"
    rare = {fault: seen[fault] for fault in FAULTS if seen[fault] < _LEAST_SHARE * count}
    assert not rare, f"seen by too few histories: {rare}"


def test_a_seed_is_one_history_whatever_the_hash_seed() -> None:
    """Else a failing seed could not be run again."""
    command = [sys.executable, "-m", "tests.simulation.histories", "0", "60"]
    told = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
