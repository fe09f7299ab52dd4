"""What GPUs this machine has, by the driver's own library (NVML): asked without torch, and without taking one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple, Protocol

from streamer.errors import EngineError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment variable that says which GPUs a process sees, and in which order."""
_ORDER = "CUDA_DEVICE_ORDER"


class Memory(NamedTuple):
    """Bytes, of everybody on the GPU."""

    total: int
    free: int
    used: int


class Gpu(NamedTuple):
    number: int
    """As NVML and nvidia-smi count."""
    uuid: str
    name: str
    memory: Memory | None
    """None where it shares the machine's, of which NVML tells nothing."""


class Driver(Protocol):
    """What is asked about GPUs. Errors: EngineError where there is a driver that does not answer; ImportError."""

    def gpus(self) -> Sequence[Gpu]:
        """All of this machine; none where it has no driver."""
        ...

    def memory(self, uuid: str) -> Memory | None:
        """Of one GPU or MIG instance, now; None where NVML does not know it or its memory."""
        ...


class Nvml:
    """The driver of NVIDIA's GPUs."""

    def gpus(self) -> Sequence[Gpu]:
        with _begun() as nvml:
            if nvml is None:
                return []
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            return [
                Gpu(index, nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle), _memory(nvml, handle))
                for index, handle in enumerate(handles)
            ]

    def memory(self, uuid: str) -> Memory | None:
        with _begun() as nvml:
            if nvml is None:
                return None
            try:
                handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            except (nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument):
                return None
            return _memory(nvml, handle)


@contextmanager
def _begun() -> Iterator[ModuleType | None]:
    """The library, begun; None without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        yield None
        return
    except pynvml.NVMLError as error:
        raise _silent(error) from error
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise _silent(error) from error
    finally:
        pynvml.nvmlShutdown()


def _silent(error: Exception) -> EngineError:
    return EngineError(f"the GPUs' driver does not answer ({error}); look at what nvidia-smi says")


def _memory(nvml: ModuleType, handle: object) -> Memory | None:
    try:
        found = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError_NotSupported:
        return None
    return Memory(found.total, found.free, found.used)


def visible(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[str]:
    """What `CUDA_VISIBLE_DEVICES` of a process must be to see one GPU: an entry for each that this one sees, in order.

    A GPU is named by its UUID, which is the same in every count; a MIG instance as it was given. An index stays one
    where CUDA may count otherwise than NVML does: fastest first, on a machine of several kinds. As in CUDA, an entry
    that is none ends the list, and one given twice makes it empty. Source: CUDA C++ Programming Guide, "CUDA
    Environment Variables".
    """
    if VISIBLE not in environment:
        return [gpu.uuid for gpu in gpus]
    counted_alike = environment.get(_ORDER) == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) == 1
    entries: list[str] = []
    for given in environment[VISIBLE].split(","):
        entry = _entry(given.strip(), gpus, counted_alike)
        if entry is None:
            break
        entries.append(entry)
    return entries if len(set(entries)) == len(entries) else []


def _entry(given: str, gpus: Sequence[Gpu], counted_alike: bool) -> str | None:
    """None where it names nothing."""
    if given.isdecimal():
        index = int(given)
        if index >= len(gpus):
            return None
        return gpus[index].uuid if counted_alike else str(index)
    if given.startswith("MIG-") and gpus:
        return given
    # A beginning is enough, if there is one GPU that it fits.
    found = [gpu.uuid for gpu in gpus if given.startswith("GPU-") and gpu.uuid.startswith(given)]
    return found[0] if len(found) == 1 else None
