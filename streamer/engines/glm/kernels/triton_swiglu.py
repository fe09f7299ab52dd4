"""SwiGLU, a part of a row in a program."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from streamer.engines.glm.kernels.launch import Launch, check, kernel

_PART = 1024


def swiglu(gate_up: Tensor, out: Tensor) -> Launch:
    """`gate_up`: [R, 2 * I]. `out`: [R, I]."""
    rows, width = out.shape
    check(gate_up, "gate_up", rows, 2 * width)
    check(out, "out", rows, width)
    return Launch(_swiglu, (rows, -(-width // _PART)), (gate_up, out), {"WIDTH": width, "PART": _PART})


@kernel
def _swiglu(gate_up: tl.tensor, out: tl.tensor, WIDTH: tl.constexpr, PART: tl.constexpr) -> None:
    row = tl.program_id(0).to(tl.int64)
    channels = tl.program_id(1) * PART + tl.arange(0, PART)
    inside = channels < WIDTH
    gate = tl.load(gate_up + row * 2 * WIDTH + channels, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * 2 * WIDTH + WIDTH + channels, mask=inside, other=0.0).to(tl.float32)
    opened = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out + row * WIDTH + channels, opened.to(out.dtype.element_ty), mask=inside)
