"""An installation without the extra `glm`: its libraries are away for every process that these tests start, and all but
that engine runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import environment, line_of, run, started
from tests.cli.test_bridge import variables
from tests.test_imports import GLM

LIBRARIES = (*GLM, "huggingface_hub")

HOOK = f"""
import sys

class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LIBRARIES!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Away())
"""

IMPORTS = """
import importlib, pkgutil, sys
import streamer
from streamer.cli import check
from streamer.settings import load

names = [found.name for found in pkgutil.walk_packages(streamer.__path__, "streamer.")
         if not found.name.startswith("streamer.engines.glm.") and found.name != "streamer.__main__"]
for name in names:
    importlib.import_module(name)
print(len(names), "streamer.cli.worker" in names and "streamer.cli.replay" in names)
print([state for state, _ in check._engine(load(None))])
"""


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python imports sitecustomize before anything of ours."""
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(variables), check=False)


def test_they_are_away() -> None:
    assert "No module named 'torch'" in python("import torch").stderr


def test_every_module_but_the_engines_own_is_imported_and_check_speaks() -> None:
    done = python(IMPORTS, ENGINE__NAME="tone")
    assert done.stderr == ""
    imported, states = done.stdout.splitlines()
    assert int(imported.split()[0]) > 150
    assert imported.endswith("True")
    assert states == "['ok']"


@pytest.mark.parametrize("engine", ["espeak", "tone"])
def test_synth_speaks(tmp_path: Path, engine: str) -> None:
    done = run("synth", "-", "--out", str(tmp_path), variables={"ENGINE__NAME": engine}, stdin=b'{"text": "hello"}')
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "1.wav").stat().st_size > 1000


def test_the_bridge_starts(tmp_path: Path) -> None:
    with started("bridge", "--port", "0", variables=variables(tmp_path, "127.0.0.1:1")) as process:
        assert line_of(process).startswith("ready http://127.0.0.1:")
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    "command",
    [["synth", "-", "--out", "out"], ["worker", "--process", "0", "--instance", "a"], ["worker"]],
    ids=["synth", "worker", "supervisor"],
)
def test_the_engine_itself_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    glm = {"ENGINE__NAME": "glm", "ENGINE__GLM__CHECKPOINT": str(tmp_path), "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    done = run(*command, variables=glm)
    assert done.returncode == 2
    told = done.stderr.decode()
    assert "engine.name is glm, and its libraries are not installed (No module named" in told
    assert "pip install 'streamer[glm]'" in told
    assert "Traceback" not in told
    assert done.stdout == b""
