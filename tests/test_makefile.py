"""The installation, with an interpreter and a uv that only look like them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.resources import folder
from tests.conftest import missing

FAKE_UV = """#!/bin/sh
echo "uv $*" >> calls
case "$1" in
venv) mkdir -p .venv/bin && ln -s "$PYTHON_FOR_TEST" .venv/bin/python ;;
*) [ ! -e fail ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the Makefile and what it depends on, and a uv that notes how it is called."""
    if shutil.which("make") is None:
        missing("make is not installed")
    shutil.copy(folder("configs").parent / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    script(tmp_path / ".uv" / "bin" / "uv", FAKE_UV)
    monkeypatch.setenv("PYTHON_FOR_TEST", sys.executable)
    return tmp_path


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def install(checkout: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "install", f"PYTHON={python}"],  # noqa: S607
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(checkout: Path) -> list[str]:
    """The commands that uv was called with since the last time."""
    log = checkout / "calls"
    found = [" ".join(line.split()[1:3]) for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def test_an_interrupted_installation_is_begun_anew(checkout: Path) -> None:
    (checkout / "fail").touch()
    assert install(checkout).returncode != 0
    assert not (checkout / ".venv" / "installed").exists()
    (checkout / ".venv" / "half").touch()
    (checkout / "fail").unlink()
    calls(checkout)
    assert install(checkout).returncode == 0
    assert calls(checkout) == ["venv --quiet", "pip install", "pip install"]
    assert not (checkout / ".venv" / "half").exists()
    assert install(checkout).returncode == 0
    assert calls(checkout) == []


def test_a_change_of_the_lock_installs_into_what_is_there(checkout: Path) -> None:
    assert install(checkout).returncode == 0
    calls(checkout)
    later = (checkout / ".venv" / "installed").stat().st_mtime + 1  # a file system's clock ticks slowly
    os.utime(checkout / "requirements.lock", (later, later))
    assert install(checkout).returncode == 0
    assert calls(checkout) == ["pip install", "pip install"]


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("#!/bin/sh\ncase $1 in -V) echo Python 3.9.2;; *) exit 1;; esac\n", "needs Python 3.11 or newer"),
        ("#!/bin/sh\ncase $1 in -m) exit 1;; esac\n", "has no pip: apt-get install python3-pip"),
    ],
)
def test_what_is_missing_is_told(checkout: Path, python: str, message: str) -> None:
    shutil.rmtree(checkout / ".uv")
    script(checkout / "bin" / "python", python)
    done = install(checkout, str(checkout / "bin" / "python"))
    assert done.returncode != 0
    assert message in done.stderr


def test_an_interrupted_download_of_uv_leaves_none(checkout: Path) -> None:
    shutil.rmtree(checkout / ".uv")
    half = 'for last; do :; done\ncase "$*" in *--target*) mkdir -p .uv.new/bin; touch .uv.new/bin/uv; exit 1;; esac\n'
    script(checkout / "bin" / "python", f"#!/bin/sh\n{half}")
    assert install(checkout, str(checkout / "bin" / "python")).returncode != 0
    assert not (checkout / ".uv").exists()
