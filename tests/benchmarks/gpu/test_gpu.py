"""The one command for a GPU: where there is none it says so; what it puts together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.__main__ import counted, engine_options, merge


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_nothing_is_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "this needs a CUDA device" in done.stderr


def test_tests_are_counted_from_the_last_line() -> None:
    output = "3 passed is no last line\n1 failed, 20 passed, 2 skipped, 2 errors in 3.00s\n"
    assert counted(output) == {"failed": 1, "passed": 20, "skipped": 2, "error": 2}
    assert counted("") == {}


def test_profiles_of_ones_own_take_the_place_of_the_three() -> None:
    assert engine_options([]).count("--profile") == 3
    assert engine_options(["--profile", "bf16", "rows=64"])[-3:] == ["--profile", "bf16", "rows=64"]
    assert engine_options(["--profile", "bf16"]).count("--profile") == 1


def test_parts_come_beside_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "engine_gpu.json"
    merge(file, {"tests": {"passed": 1}})
    merge(file, {"precision": []})
    assert json.loads(file.read_text()) == {"benchmark": "engine_gpu", "tests": {"passed": 1}, "precision": []}
