"""GPUs that are not there: a driver to be asked, and the module of NVML's bindings, in so far as streamer calls it."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from streamer.engines.glm.gpus import Gpu, Memory

GIB = 1 << 30


def gpu(index: int, name: str = "NVIDIA H200", free: int = 140 * GIB) -> Gpu:
    return Gpu(index, f"GPU-{index}{index}aa-0000", name, Memory(141 * GIB, free, 141 * GIB - free))


class Played:
    """A driver that knows these."""

    def __init__(self, *gpus: Gpu) -> None:
        self._gpus = gpus

    def gpus(self) -> Sequence[Gpu]:
        return self._gpus

    def memory(self, uuid: str) -> Memory | None:
        return next((gpu.memory for gpu in self._gpus if gpu.uuid == uuid), None)


class NVMLError(Exception):
    pass


def pynvml(gpus: Sequence[Gpu], trouble: str = "", *, of: str = "nvmlInit") -> ModuleType:
    """`trouble`: the error that the call `of` meets, by the end of its name."""
    module: Any = ModuleType("pynvml")
    kinds = ("LibraryNotFound", "DriverNotLoaded", "NotFound", "InvalidArgument", "NotSupported", "Unknown")
    errors = {kind: type(f"NVMLError_{kind}", (NVMLError,), {}) for kind in kinds}
    module.NVMLError = NVMLError
    for kind, error in errors.items():
        setattr(module, f"NVMLError_{kind}", error)
    module.begun = 0

    def begin(by: int) -> None:
        module.begun += by

    def by_uuid(uuid: str) -> Gpu:
        for gpu in gpus:
            if gpu.uuid == uuid:
                return gpu
        raise errors["NotFound"](uuid)

    calls = {
        "nvmlInit": lambda: begin(1),
        "nvmlShutdown": lambda: begin(-1),
        "nvmlDeviceGetCount": lambda: len(gpus),
        "nvmlDeviceGetHandleByIndex": lambda index: gpus[index],
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": lambda handle: handle.uuid,
        "nvmlDeviceGetName": lambda handle: handle.name,
        "nvmlDeviceGetMemoryInfo": lambda handle: handle.memory,
    }

    def fails(*arguments: object) -> None:
        raise errors[trouble]("played")

    for name, call in calls.items():
        setattr(module, name, fails if trouble and name == of else call)
    return module  # type: ignore[no-any-return]
