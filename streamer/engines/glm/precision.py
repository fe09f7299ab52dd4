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
