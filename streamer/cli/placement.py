"""Which GPU each process of a supervisor gets: one each, the same after every restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from streamer.errors import ConfigurationError

if TYPE_CHECKING:
    from streamer.engines.glm.gpus import Driver
    from streamer.observe.logs import Log
    from streamer.settings import EngineChoice

_DEVICE = "STREAMER_ENGINE__GLM__DEVICE"
_CHOOSES = ("auto", "cuda")
"""Devices of the engine glm for which a process takes the first GPU that it sees."""


def places(
    engine: EngineChoice, processes: int, driver: Driver, environment: Mapping[str, str], *, cores: int, log: Log
) -> list[Mapping[str, str]]:
    """What is added to the environment of each process, one an entry.

    `processes`: 0 for one a GPU, which is one where the engine takes none. `environment`: ours; what it hides from CUDA
    is no place. A single process gets nothing and takes the first GPU in CUDA's own order, as every other command does.
    Errors: ConfigurationError where there are more processes than GPUs, or where several would share one; EngineError
    where the driver does not answer.
    """
    device = engine.glm.device
    if engine.name != "glm":
        return _anywhere(processes)
    if device not in _CHOOSES:
        if device != "cpu" and processes > 1:
            raise ConfigurationError(
                [
                    f"worker.processes is {processes}, and all of them would share engine.glm.device {device}: give "
                    f"cuda, of which each gets a GPU of its own, or one process"
                ]
            )
        _tell_threads(engine, processes, cores, log, on_cpu=device == "cpu")
        return _anywhere(processes)
    return _one_each(engine, processes, _entries(driver, environment), cores, log)


def _one_each(
    engine: EngineChoice, processes: int, entries: Sequence[str], cores: int, log: Log
) -> list[Mapping[str, str]]:
    from streamer.engines.glm.gpus import VISIBLE

    if not entries and engine.glm.device == "auto":
        _tell_threads(engine, processes, cores, log, on_cpu=True)
        return _anywhere(processes)
    if processes > max(1, len(entries)):
        raise ConfigurationError(
            [
                f"worker.processes is {processes}, and this machine shows {len(entries)} GPUs ({VISIBLE} may hide "
                f"more): each process takes one, so give at most {max(1, len(entries))}, or 0 for one on each; "
                f"engine.glm.device cpu needs none"
            ]
        )
    if (processes or len(entries)) <= 1:
        return _anywhere(1)
    chosen = entries[: processes or len(entries)]
    for slot, entry in enumerate(chosen):
        log.info("a process has its GPU", slot=slot, gpu=entry)
    # One that finds its GPU gone must say so: with auto it would go on without, slower and in other bytes.
    return [{VISIBLE: entry, _DEVICE: "cuda"} for entry in chosen]


def _entries(driver: Driver, environment: Mapping[str, str]) -> list[str]:
    from streamer.engines.glm.gpus import visible
    from streamer.engines.opening import not_installed

    try:
        return visible(driver.gpus(), environment)
    except ImportError as error:
        raise not_installed(error) from error


def _anywhere(processes: int) -> list[Mapping[str, str]]:
    return [{} for _ in range(processes or 1)]


def _tell_threads(engine: EngineChoice, processes: int, cores: int, log: Log, *, on_cpu: bool) -> None:
    """Threads are never shared out unasked, for their number changes the audio's bytes."""
    if on_cpu and processes > 1 and not engine.glm.threads:
        log.warning(
            "every process takes as many threads as the machine has cores, and they will be in each other's way: set "
            "engine.glm.threads, which is part of the engine's revision",
            processes=processes,
            cores=cores,
            threads=max(1, cores // processes),
        )
