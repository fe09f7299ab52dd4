"""Which GPU a process gets: as it is decided, and as the processes of a real supervisor see it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.placement import places
from streamer.engines.glm.gpus import Driver, Gpu
from streamer.errors import ConfigurationError, EngineError
from streamer.settings import EngineChoice, Glm
from tests.cli.processes import complaints, line_of, run, started
from tests.engines.glm.played_gpus import Played, gpu
from tests.worker.replay.rig import Heard

FOUR = Played(*(gpu(index) for index in range(4)))
NONE = Played()
NAMES = [one.uuid for one in FOUR.gpus()]


def placed(
    processes: int, driver: Driver = FOUR, environment: Mapping[str, str] | None = None, **glm: Any
) -> tuple[list[str | None], Heard]:
    """What each process sees, and what was logged."""
    log = Heard()
    engine = EngineChoice(name="glm", glm=Glm(checkpoint="/srv/glm", **glm))
    found = places(engine, processes, driver, environment or {}, cores=8, log=log)
    for variables in found:
        assert variables.get("STREAMER_ENGINE__GLM__DEVICE") == ("cuda" if variables else None)
    return [variables.get("CUDA_VISIBLE_DEVICES") for variables in found], log


def refusal(processes: int, driver: Driver = FOUR, **given: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        placed(processes, driver, **given)
    (problem,) = raised.value.problems
    assert problem.startswith(f"worker.processes is {processes}")
    return problem


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_process_sees_one_gpu(device: str) -> None:
    assert placed(3, device=device)[0] == NAMES[:3]
    assert placed(0, device=device)[0] == NAMES
    hidden = {"CUDA_VISIBLE_DEVICES": "3,1"}
    assert placed(2, environment=hidden, device=device)[0] == [NAMES[3], NAMES[1]]
    assert placed(0, environment=hidden, device=device)[0] == [NAMES[3], NAMES[1]]


def test_a_single_process_takes_what_cuda_gives_it_first() -> None:
    assert placed(1)[0] == [None]
    assert placed(0, Played(gpu(0)))[0] == [None]


def test_more_processes_than_gpus_are_refused() -> None:
    problem = refusal(5)
    assert "at most 4, or 0" in problem
    assert "engine.glm.device cpu" in problem
    assert "shows 1 GPUs" in refusal(2, environment={"CUDA_VISIBLE_DEVICES": "2"})
    assert "shows 0 GPUs" in refusal(2, NONE, device="cuda")


def test_several_processes_share_no_named_gpu() -> None:
    assert placed(1, device="cuda:2")[0] == placed(0, device="cuda:2")[0] == [None]
    assert "share engine.glm.device cuda:2" in refusal(2, device="cuda:2")


@pytest.mark.parametrize(("driver", "device"), [(NONE, "auto"), (FOUR, "cpu")])
def test_on_a_cpu_several_are_told_about_their_threads(driver: Driver, device: str) -> None:
    seen, log = placed(3, driver, device=device)
    assert seen == [None] * 3
    ((event, fields),) = log.warnings
    assert "engine.glm.threads" in event
    assert fields == {"processes": 3, "cores": 8, "threads": 2}
    for processes, threads in ((1, 0), (0, 0), (3, 2)):
        seen, log = placed(processes, driver, device=device, threads=threads)
        assert (seen, log.warnings) == ([None] * (processes or 1), [])


class Unasked:
    def gpus(self) -> list[Gpu]:
        raise EngineError("asked")

    def memory(self, uuid: str) -> None:
        raise EngineError("asked")


@pytest.mark.parametrize("name", ["espeak", "tone"])
def test_other_engines_ask_for_no_gpu(name: Any) -> None:
    log = Heard()
    for processes in (0, 1, 3):
        found = places(EngineChoice(name=name), processes, Unasked(), {}, cores=1, log=log)
        assert found == [{}] * (processes or 1)
    assert log.warnings == []


def test_a_driver_that_does_not_answer_is_told() -> None:
    with pytest.raises(EngineError, match="asked"):
        placed(1, Unasked())


HOOK = """
import os, signal, sys

def play():
    slot = sys.orig_argv[sys.orig_argv.index("--process") + 1]
    with open(os.environ["SEEN"], "a") as file:
        device = os.environ.get("STREAMER_ENGINE__GLM__DEVICE")
        file.write(f"{slot} {os.environ.get('CUDA_VISIBLE_DEVICES')} {device} {sys.orig_argv[-1]}\\n")
    died = os.environ["SEEN"] + slot
    if slot == "1" and not os.path.exists(died):
        open(died, "w").close()
        os._exit(1)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("ready", flush=True)
    signal.pause()

if "--process" in sys.orig_argv:
    play()
sys.path.insert(0, os.environ["ROOT"])
from tests.engines.glm.played_gpus import gpu, pynvml
sys.modules["pynvml"] = pynvml([gpu(index) for index in range(int(os.environ["GPUS"]))])
"""
"""What Python imports first, in the supervisor and in its processes. Those only say what they see; one dies once."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which processes say what they see, of a machine of three GPUs."""
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("ROOT", str(Path(__file__).parents[2]))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("GPUS", "3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "seen"


GLM = {"ENGINE__NAME": "glm", "ENGINE__GLM__CHECKPOINT": "/srv/glm"}


def test_the_supervisor_gives_each_process_its_gpu_and_a_restarted_one_the_same(machine: Path) -> None:
    with started("worker", "--processes", "0", "--instance", "a", variables=GLM) as process:
        assert line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    seen = sorted(machine.read_text().splitlines())
    assert seen == sorted([f"{slot} {NAMES[slot]} cuda a-{slot}" for slot in range(3)] + [f"1 {NAMES[1]} cuda a-1"])


def test_a_single_process_keeps_the_environment(machine: Path) -> None:
    with started("worker", "--instance", "a", variables=GLM) as process:
        assert line_of(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert machine.read_text() == "0 None None a\n"


def test_too_many_processes_are_refused_before_any_starts(machine: Path) -> None:
    done = run("worker", "--processes", "4", variables=GLM)
    assert (done.returncode, done.stdout) == (2, b"")
    (problem,) = complaints(done.stderr)
    assert problem.startswith("worker.processes is 4, and this machine shows 3 GPUs")
    assert not machine.exists()
