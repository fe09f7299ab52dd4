"""Which kernels a device gets."""

from __future__ import annotations

import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.plain import PlainKernels

_SMALLEST_HEAD = 16


def open_kernels(device: torch.device, head: int) -> StepKernels:
    """Triton's on an NVIDIA GPU, for heads of `head` channels that it has tiles for; else torch's.

    Errors: ImportError where torch was installed without Triton, which it never is where it knows NVIDIA GPUs on Linux.
    """
    if device.type != "cuda" or head < _SMALLEST_HEAD or head & (head - 1):
        return PlainKernels()
    # Imported here: it looks for a GPU's driver, and an installation for CPUs may lack it.
    from streamer.engines.glm.kernels.triton_step import TritonKernels

    return TritonKernels()
