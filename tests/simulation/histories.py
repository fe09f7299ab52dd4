"""Run histories from the command line: `python -m tests.simulation.histories FIRST COUNT [--stop]`.

Prints the seeds whose history broke the promise; `--stop` ends at the first. One seed again: FIRST SEED, COUNT 1.
"""

from __future__ import annotations

import sys
from collections import Counter

from tests.simulation.check import check
from tests.simulation.faults import FAULTS
from tests.simulation.hindsight import look_back
from tests.simulation.shared import Shared
from tests.simulation.world import World


def history(seed: int, shared: Shared) -> tuple[World, list[str]]:
    world = World(seed, shared)
    world.run()
    look_back(world)
    return world, check(world)


def main(first: int, count: int, stop: bool) -> int:
    shared = Shared()
    seen: Counter[str] = Counter()
    broken = 0
    for seed in range(first, first + count):
        world, problems = history(seed, shared)
        seen.update(world.seen)
        if problems:
            broken += 1
            print(
                f"seed {seed}: "
                + "; ".join(problems + [process.stopped for process in world.workers if process.stopped])
            )
            if stop:
                return 1
    for fault in FAULTS:
        print(f"{fault:32} {seen[fault]:6} {seen[fault] / count:6.1%}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), "--stop" in sys.argv))
