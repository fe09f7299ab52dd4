"""What is missing fails where nothing may be missing, however the tests are distributed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TEST = """
from tests.conftest import missing

def test_with_a_part() -> None:
    missing("there is no such part")
"""


@pytest.mark.parametrize("processes", ["0", "1"])
@pytest.mark.parametrize(("required", "outcome"), [("1", "1 failed"), ("", "1 skipped")])
def test_a_missing_part(required: str, outcome: str, processes: str, tmp_path: Path) -> None:
    (tmp_path / "test_part.py").write_text(_TEST)
    command = [sys.executable, "-m", "pytest", "-n", processes, "-p", "tests.conftest", "--rootdir", str(tmp_path)]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1]), "STREAMER_TEST_REQUIRE": required}
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome in done.stdout, done.stdout + done.stderr
