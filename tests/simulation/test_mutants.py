"""Every mutant is caught, by the check on logs and store alone; its seed is printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, plant

_ROOT = Path(__file__).parents[2]
_SEEDS = 2_000

Hunt = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def hunts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Hunt]]]:
    """Those that were chosen, as many at a time as there are cores: each is a process with one thread."""
    chosen = [
        item.callspec.params["mutant"]
        for item in request.session.items
        if hasattr(item, "callspec") and item.path == Path(__file__)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {mutant: pool.submit(hunted, mutant, tmp_path_factory.mktemp("mutant")) for mutant in chosen}
        pool.shutdown(cancel_futures=True)


def hunted(mutant: str, folder: Path) -> Hunt:
    shutil.copytree(_ROOT / "streamer", folder / "streamer", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("schemas", "configs", "tests"):
        (folder / name).symlink_to(_ROOT / name)
    plant(mutant, folder / "streamer")
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.histories", "0", str(_SEEDS), "--stop"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, hunts: Mapping[str, Future[Hunt]]) -> None:
    run = hunts[mutant].result()
    assert run.returncode == 1, f"not caught in {_SEEDS} histories: {run.stderr[-2000:]}"
    caught = re.match(r"seed (\d+): (.+)", run.stdout)
    assert caught, f"died instead of being caught by the check: {run.stderr[-2000:]}"
    print(f"{mutant}: seed {caught[1]}: {caught[2][:300]}")
