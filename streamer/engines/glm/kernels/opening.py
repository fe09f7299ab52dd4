"""Which kernels a device gets: Triton's on an NVIDIA GPU, torch's elsewhere.

Errors: ImportError where torch was installed without Triton, which it never is where it knows NVIDIA GPUs on Linux.
"""

from __future__ import annotations

import torch

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.kernels.draws import DrawKernels
from streamer.engines.glm.kernels.plain import PlainKernels
from streamer.engines.glm.kernels.plain_draws import PlainDraws

_SMALLEST_HEAD = 16

# Triton is imported where it is used: it looks for a GPU's driver, and an installation for CPUs may lack it.


def open_kernels(device: torch.device, head: int) -> StepKernels:
    """`head`: channels; torch's too where Triton has no tiles for so many."""
    if device.type != "cuda" or head < _SMALLEST_HEAD or head & (head - 1):
        return PlainKernels()
    from streamer.engines.glm.kernels.triton_step import TritonKernels

    return TritonKernels()


def open_draws(device: torch.device) -> DrawKernels:
    if device.type != "cuda":
        return PlainDraws()
    from streamer.engines.glm.kernels.triton_draws import TritonDraws

    return TritonDraws()
