"""The kernels' contract, by Triton's kernels without a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import streamer

_TESTS = Path(__file__).with_name("interpreted.py")


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not made for this system")
def test_tritons_kernels_in_its_interpreter() -> None:
    """In a process of its own, for what is imported here already would be compiled."""
    # The fixtures of other tests are not needed, and take longer to be imported than all of this takes.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", str(_TESTS)]
    done = subprocess.run(
        command,
        cwd=Path(streamer.__file__).parents[1],
        env={**_without_xdist(), "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def _without_xdist() -> dict[str, str]:
    """A worker of a parallel run tells its own programs that they are one too."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
