"""TF32 on a GPU: a switch of the whole process, turned for the stage that is configured so and back again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def exact() -> None:
    """float32 means float32, and kernels are never chosen by timing them: the choice would be part of the bytes, and
    another one each time."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 by instructions of its own. A CPU without them is slower in it than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def tensor_float(wanted: bool) -> Iterator[None]:
    """Within, float32 products may be TF32."""
    if not wanted:
        yield
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
