from __future__ import annotations

import subprocess
import sys

import pytest

from streamer.engines.glm.gpus import Gpu, Nvml, visible
from streamer.errors import EngineError
from tests.engines.glm.played_gpus import gpu, pynvml

TWO = [gpu(0), gpu(1)]
FOUR = [gpu(index) for index in range(4)]
UUIDS = [one.uuid for one in FOUR]
MIG = "MIG-8a4a2e6c-1111"


def test_what_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pynvml(TWO)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert Nvml().gpus() == TWO
    assert Nvml().memory(TWO[1].uuid) == TWO[1].memory
    assert Nvml().memory("GPU-of-another-machine") is None
    assert module.begun == 0


@pytest.mark.parametrize("trouble", ["LibraryNotFound", "DriverNotLoaded"])
def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    module = pynvml(TWO, trouble)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert (Nvml().gpus(), Nvml().memory(TWO[0].uuid)) == ([], None)
    assert module.begun == 0


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetMemoryInfo"])
def test_a_driver_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    module = pynvml(TWO, "Unknown", of=call)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    with pytest.raises(EngineError, match="nvidia-smi"):
        Nvml().gpus()
    assert module.begun == 0


def test_a_gpu_that_shares_the_machines_memory_tells_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", pynvml(TWO, "NotSupported", of="nvmlDeviceGetMemoryInfo"))
    assert [one.memory for one in Nvml().gpus()] == [None, None]
    assert Nvml().memory(TWO[0].uuid) is None


def test_this_machine_answers_or_has_no_driver() -> None:
    for one in Nvml().gpus():
        assert one.uuid.startswith("GPU-")
        assert one.memory is None or one.memory.total >= one.memory.free


def test_asking_needs_no_torch() -> None:
    code = "import sys; from streamer.engines.glm.gpus import Nvml; Nvml().gpus(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("given", "entries"),
    [
        (None, UUIDS),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2", [UUIDS[2]]),
        ("3, 1", [UUIDS[3], UUIDS[1]]),
        ("1,-1,0", [UUIDS[1]]),
        ("0,4,1", [UUIDS[0]]),
        ("1,1", []),
        (f"1,{UUIDS[1]}", []),
        (f"{UUIDS[2]},{UUIDS[0]}", [UUIDS[2], UUIDS[0]]),
        ("GPU-22,GPU-0", [UUIDS[2], UUIDS[0]]),
        ("GPU-", []),
        ("GPU-99", []),
        (f"{MIG},MIG-GPU-abc/1/0", [MIG, "MIG-GPU-abc/1/0"]),
    ],
)
def test_only_what_cuda_shows_is_a_place(given: str | None, entries: list[str]) -> None:
    assert visible(FOUR, {} if given is None else {"CUDA_VISIBLE_DEVICES": given}) == entries


@pytest.mark.parametrize(
    ("order", "entries"), [({}, ["1", "0"]), ({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [UUIDS[1], UUIDS[0]])]
)
def test_an_index_stays_one_where_cuda_may_count_otherwise(order: dict[str, str], entries: list[str]) -> None:
    mixed: list[Gpu] = [gpu(0), gpu(1, "NVIDIA L20")]
    assert visible(mixed, {"CUDA_VISIBLE_DEVICES": "1,0", **order}) == entries
    assert visible(mixed, order) == UUIDS[:2]


def test_without_a_driver_nothing_is_visible() -> None:
    assert visible([], {"CUDA_VISIBLE_DEVICES": f"{MIG}"}) == []
    assert visible([], {"CUDA_VISIBLE_DEVICES": "0"}) == []
