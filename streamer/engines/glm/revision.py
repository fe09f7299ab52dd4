"""The revision: everything that changes a byte of the audio, by name, so that two of them can be compared by eye."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from streamer.engines.glm import shapes
from streamer.engines.glm.code import code_digest, short
from streamer.settings_engines import Glm


def revision(settings: Glm, device: torch.device, parts: Mapping[str, str]) -> str:
    """`name=value` pairs. `parts`: digests of what was read (weights, text, voice)."""
    facts = {
        **{name: short(value) for name, value in parts.items()},
        "code": code_digest(Path(__file__).parent),
        "numpy": np.__version__,
        **_torch(device),
        "precision": f"{settings.llm_precision},{settings.flow_precision},{settings.vocoder_precision}",
        "rows": f"{settings.rows},{settings.flow_rows},{settings.vocoder_rows}",
        "shapes": f"{shapes.VERSION},{settings.positions}",
        "rate": str(settings.sample_rate),
        "sampling": f"{settings.sampling},{settings.draws}",
        "segments": f"{settings.use_cache:d},{settings.pause:g},{settings.cross_fade:g},{settings.phoneme:d}",
    }
    return " ".join(f"{name}={value}" for name, value in facts.items())


def _torch(device: torch.device) -> dict[str, str]:
    if device.type == "cpu":
        kind, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
        return {"torch": torch.__version__, "device": f"cpu/{kind}", "threads": str(threads)}
    name = torch.cuda.get_device_name(device).replace(" ", "_")
    libraries = f"cuda{torch.version.cuda}/cudnn{torch.backends.cudnn.version()}"  # type: ignore[no-untyped-call]
    return {"torch": torch.__version__, "device": f"{name}/{libraries}"}
