"""Contenders as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

_PATIENCE = 900.0


def answer(name: str, command: Sequence[str], patience: float = _PATIENCE) -> str:
    """The line that the command prints last; ends this process where it fails. `patience`: seconds that it may take."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    if run.returncode != 0:
        sys.exit(f"{name} failed:\n{run.stderr[-4000:]}")
    return run.stdout.strip().splitlines()[-1]


def figures(name: str, command: Sequence[str]) -> dict[str, float]:
    """What the command prints last, a JSON object; ends this process where it fails."""
    found: dict[str, float] = json.loads(answer(name, command))
    return found
