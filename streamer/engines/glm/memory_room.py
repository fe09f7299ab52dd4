"""Whether a profile fits the memory that there is, asked before any of it is taken; and the ceiling it stays below."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from streamer.engines.glm.checkpoint.configs import read_yaml
from streamer.engines.glm.checkpoint.layout import Layout, present
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes, hift_sizes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import WhisperSizes
from streamer.engines.glm.checkpoint.tensors import read_pickled
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.gpus import Driver
from streamer.engines.glm.llm.config import read_config
from streamer.engines.glm.memory_limit import limits
from streamer.engines.glm.memory_plan import Plan, Sizes, gigabytes, plan, remedies
from streamer.engines.glm.voice import tokenizer_config
from streamer.errors import CheckpointError, ConfigurationError, EngineError
from streamer.observe.logs import Log
from streamer.settings_engines import Glm

_VOCOS_RATE = 32_000


_NOTHING_FITS = "It does not fit with fewer rows either; raise engine.glm.memory_share, or take what has more memory"


class Room(NamedTuple):
    """Bytes of a GPU, or of this machine."""

    total: int
    free: int
    """Now."""


def demand(settings: Glm, sizes: Sizes, room: Room, device: str) -> Plan:
    """The profile's plan, if it fits. `device`: by its name.

    Errors: ConfigurationError where it takes more than its share of the whole; EngineError where only others leave too
    little, which may be otherwise at the next start.
    """
    on_gpu = device.startswith("cuda")
    wanted = plan(settings, sizes, gpu=on_gpu)
    ceiling = int(settings.memory_share * room.total)
    if wanted.total <= min(ceiling, room.free):
        return wanted
    would = remedies(settings, sizes, min(ceiling, room.free), gpu=on_gpu)
    where = device if on_gpu else "this machine"
    problem = (
        f"engine.glm takes {gigabytes(wanted.total)} of memory: {wanted}. It may take engine.glm.memory_share "
        f"{settings.memory_share:g} of the {gigabytes(room.total)} of {where}, where {gigabytes(room.free)} are free. "
    )
    fitting = f"It fits with {', or '.join(would)}" if would else _NOTHING_FITS
    if wanted.total > ceiling:
        raise ConfigurationError([problem + fitting])
    raise EngineError(f"{problem}End what else runs there. {fitting}")


def sizes_of(layout: Layout, settings: Glm, columns: int) -> Sizes:
    """What the files say, no weights read. `columns`: of the LLM's output. Errors: CheckpointError."""
    flow = read_yaml(layout.flow_config, FlowConfig)
    tokenizer = tokenizer_config.read_config(layout.speech_tokenizer)
    vocos = settings.sample_rate == _VOCOS_RATE
    return Sizes(
        llm=read_config(layout.llm / "config.json"),
        columns=columns,
        flow=FlowSizes(**{field: getattr(flow, field) for field in FlowSizes.__struct_fields__}),
        vocoder=present(layout.vocos).stat().st_size if vocos else _hift(layout),
        tokenizer=WhisperSizes(**{field: getattr(tokenizer, field) for field in WhisperSizes.__struct_fields__}),
        speaker=present(layout.speaker).stat().st_size,
    )


def _hift(layout: Layout) -> HiftSizes:
    sizes = hift_sizes(read_pickled(layout.hift))
    if sizes is None:
        raise CheckpointError(f"{layout.hift}: has no conv_pre.bias and f0_predictor.condnet.0.bias; is it a HiFT?")
    return sizes


def room_of(device: torch.device, driver: Driver) -> Room | None:
    """Of a GPU what both its driver and CUDA grant, for a MIG instance has less than its GPU. None where this machine
    does not tell. Errors: EngineError where the driver does not answer."""
    if device.type != "cuda":
        return machine_room()
    free, total = torch.cuda.mem_get_info(device)
    named = str(torch.cuda.get_device_properties(device).uuid)
    told = driver.memory(f"GPU-{named}") or driver.memory(f"MIG-{named}")
    return Room(min(total, told.total), min(free, told.free)) if told else Room(total, free)


def machine_room(root: Path = Path("/")) -> Room | None:
    """As Linux tells it, in kB; what is free includes what it can take back from its file cache. In a container, what
    its limit leaves of that. `root`: where proc and sys lie."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = {name: text.split() for name, _, text in (line.partition(":") for line in lines)}
    sizes = [int(told[name][0]) * 1024 for name in ("MemTotal", "MemAvailable") if told.get(name)]
    if len(sizes) != 2:
        return None
    total, free = map(min, zip(sizes, *limits(root), strict=True))
    return Room(total, free)


def admitted(settings: Glm, sizes: Sizes, device: torch.device, driver: Driver) -> Plan:
    """The plan of a profile that fits, or of which nobody knows whether it does. From here on torch takes no more of a
    GPU than its share. Errors: as `demand` and `room_of`."""
    room = room_of(device, driver)
    wanted = (
        plan(settings, sizes, gpu=device.type == "cuda") if room is None else demand(settings, sizes, room, str(device))
    )
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(settings.memory_share, device)
    return wanted


def tell(wanted: Plan, device: torch.device, log: Log) -> None:
    """What is taken, once all is there: by part as planned, and on a GPU as torch counts it."""
    parts = {part.name.replace(" ", "_").lower(): part.bytes for part in wanted.parts}
    counted = {}
    if device.type == "cuda":
        counted = {"allocated": torch.cuda.memory_allocated(device), "reserved": torch.cuda.memory_reserved(device)}
    log.info("memory of the engine, in bytes", device=str(device), total=wanted.total, **parts, **counted)
