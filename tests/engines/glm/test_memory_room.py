"""What does not fit is refused before anything of it is there, in numbers; and a GPU's ceiling, with a CUDA played."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from streamer.engines.glm import memory_room
from streamer.engines.glm.gpus import Gpu, Memory
from streamer.engines.glm.memory_plan import Part, Plan, plan
from streamer.engines.glm.memory_room import Room, admitted, demand, machine_room, room_of, tell
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.errors import ConfigurationError, EngineError
from streamer.settings import Glm
from tests.engines.glm.control_groups import group, played
from tests.engines.glm.played_gpus import Played
from tests.engines.glm.speaking import open_here
from tests.engines.glm.test_memory_plan import FULL, OFFICIAL

GB = 1_000_000_000
CUDA = torch.device("cuda:0")
CPU = torch.device("cpu")
TAKEN = plan(FULL, OFFICIAL, gpu=True).total


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def bind(self, **fields: object) -> Told:
        return self


def test_what_fits_its_share_and_what_is_free_is_taken() -> None:
    room = Room(total=TAKEN * 10 // 9 + 10, free=TAKEN)
    assert demand(FULL, OFFICIAL, room, "cuda:0").total == TAKEN


def test_more_than_its_share_is_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError) as raised:
        demand(FULL, OFFICIAL, Room(48 * GB, 48 * GB), "cuda:0")
    (problem,) = raised.value.problems
    assert problem.startswith(
        f"engine.glm takes {TAKEN / GB:.2f} GB of memory: LLM weights 6.48 GB, LLM keys and values"
    )
    assert "engine.glm.memory_share 0.9 of the 48.00 GB of cuda:0, where 48.00 GB are free" in problem
    assert "It fits with engine.glm.rows at most " in problem
    whole = FULL.model_copy(update={"memory_share": 1.0})
    assert demand(whole, OFFICIAL, Room(48 * GB, 48 * GB), "cuda:0").total == TAKEN


def test_what_others_hold_may_be_free_at_the_next_start() -> None:
    with pytest.raises(EngineError, match=r"20\.00 GB are free\. End what else runs there\. It fits with") as raised:
        demand(FULL, OFFICIAL, Room(141 * GB, 20 * GB), "cuda:0")
    assert raised.value.exit_code == 1  # the supervisor tries again


def test_what_fits_in_no_way_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match=r"of this machine, .* does not fit with fewer rows either"):
        demand(FULL, OFFICIAL, Room(4 * GB, 4 * GB), "cpu")


def test_an_engine_that_does_not_fit_takes_nothing(glm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*arguments: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(VoiceEncoder, "open", opened)
    with pytest.raises(ConfigurationError, match="memory_share 1e-06 of the"):
        open_here(glm_cache, memory_share=0.000001)


def test_what_was_taken_is_told_by_part(glm_cache: Path) -> None:
    told = Told()
    engine = open_here(glm_cache, told, rows=2, positions=512, llm_precision="fp32")
    ((event, fields),) = told.lines
    assert event == "memory of the engine, in bytes"
    parts = [value for name, value in fields.items() if name not in ("device", "total")]
    assert fields["device"] == "cpu"
    assert fields["llm_keys_and_values"] == 2 * 2 * 2 * 512 * 32 * 4
    assert sum(map(int, map(str, parts))) == fields["total"]
    assert engine.profile.about.endswith(f"at most {int(str(fields['total'])) / GB:.2f} GB of memory")


# Where the numbers come from

MEMINFO = (
    "MemTotal:       24684092 kB\nMemFree:          100000 kB\nMemAvailable:   23935672 kB\nHugePages_Total:       0\n"
)


def test_the_machines_memory(tmp_path: Path) -> None:
    machine = {"proc/meminfo": MEMINFO}
    assert machine_room(played(tmp_path, machine)) == Room(24_684_092 * 1024, 23_935_672 * 1024)
    played(tmp_path, {"proc/meminfo": "MemTotal: 1 kB\n"})
    assert machine_room(tmp_path) is None
    assert machine_room(tmp_path / "none") is None


def test_in_a_container_its_limit_counts(tmp_path: Path) -> None:
    files = {"proc/meminfo": MEMINFO, **group("sys/fs/cgroup", "8000000000", "5000000000", "1000000000")}
    machine = played(tmp_path, {**files, "proc/self/cgroup": "0::/\n"})
    assert machine_room(machine) == Room(8 * GB, 4 * GB)


def test_where_the_machine_does_not_tell_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_room, "machine_room", lambda: machine_room(tmp_path / "none"))
    assert admitted(Glm(memory_share=0.001, llm_precision="fp32"), OFFICIAL, CPU, Played()).total > 10 * GB


class PlayedCuda:
    """A GPU of 141 GB, as CUDA tells of it; and what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int, total: int = 141 * GB) -> None:
        self.fractions: list[tuple[float, torch.device]] = []
        calls: dict[str, Any] = {
            "mem_get_info": lambda device: (free, total),
            "get_device_properties": lambda device: SimpleNamespace(uuid="11aa-0000"),
            "set_per_process_memory_fraction": lambda share, device: self.fractions.append((share, device)),
            "memory_allocated": lambda device: 5,
            "memory_reserved": lambda device: 7,
        }
        for name, call in calls.items():
            monkeypatch.setattr(torch.cuda, name, call)


@pytest.mark.parametrize(
    ("uuid", "told", "room"),
    [
        ("GPU-11aa-0000", Memory(140 * GB, 50 * GB, 90 * GB), Room(140 * GB, 50 * GB)),
        ("MIG-11aa-0000", Memory(20 * GB, 19 * GB, 1 * GB), Room(20 * GB, 19 * GB)),
        ("GPU-another", Memory(20 * GB, 19 * GB, 1 * GB), Room(141 * GB, 60 * GB)),
        ("GPU-11aa-0000", None, Room(141 * GB, 60 * GB)),
    ],
)
def test_a_gpus_memory_is_the_least_that_driver_and_cuda_tell(
    monkeypatch: pytest.MonkeyPatch, uuid: str, told: Memory | None, room: Room
) -> None:
    PlayedCuda(monkeypatch, 60 * GB)
    assert room_of(CUDA, Played(Gpu(0, uuid, "NVIDIA H200", told))) == room


def test_the_ceiling_is_set_once_the_profile_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = PlayedCuda(monkeypatch, 140 * GB)
    assert admitted(FULL, OFFICIAL, CUDA, Played()).total == TAKEN
    assert cuda.fractions == [(0.9, CUDA)]
    with pytest.raises(ConfigurationError):
        admitted(FULL.model_copy(update={"memory_share": 0.1}), OFFICIAL, CUDA, Played())
    assert len(cuda.fractions) == 1


def test_on_a_gpu_torchs_own_count_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    PlayedCuda(monkeypatch, GB)
    told = Told()
    tell(Plan((Part("LLM weights", 3),)), CUDA, told)
    fields = {"device": "cuda:0", "total": 3, "llm_weights": 3, "allocated": 5, "reserved": 7}
    assert told.lines == [("memory of the engine, in bytes", fields)]
