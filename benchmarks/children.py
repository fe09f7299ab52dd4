"""Contenders as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

_PATIENCE = 900.0


def figures(name: str, command: Sequence[str]) -> dict[str, float]:
    """What the command prints last, a JSON object; ends this process where it fails."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if run.returncode != 0:
        sys.exit(f"{name} failed:\n{run.stderr[-4000:]}")
    found: dict[str, float] = json.loads(run.stdout.strip().splitlines()[-1])
    return found
