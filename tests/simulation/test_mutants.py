"""Every mutant is caught, by the check on logs and store alone; its seed is printed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, plant

_ROOT = Path(__file__).parents[2]
_SEEDS = 2_000


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, tmp_path: Path) -> None:
    shutil.copytree(_ROOT / "streamer", tmp_path / "streamer", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("schemas", "configs", "tests"):
        (tmp_path / name).symlink_to(_ROOT / name)
    plant(mutant, tmp_path / "streamer")
    run = subprocess.run(
        [sys.executable, "-m", "tests.simulation.histories", "0", str(_SEEDS), "--stop"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 1, f"not caught in {_SEEDS} histories: {run.stderr[-2000:]}"
    caught = re.match(r"seed (\d+): (.+)", run.stdout)
    assert caught, f"died instead of being caught by the check: {run.stderr[-2000:]}"
    print(f"{mutant}: seed {caught[1]}: {caught[2][:300]}")
