"""What starting a kernel takes, apart from starting it: so that it can be compiled where no GPU is, just as it is run.

Nothing is autotuned: a choice by timing would be part of the bytes, and another one each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import triton
from torch import Tensor


class Kernel(NamedTuple):
    """A function in Triton's language, for its compiler or its interpreter."""

    jit: Any


def kernel(function: Callable[..., None]) -> Kernel:
    """Parameters annotated with tl.constexpr are compiled in; the others are tensors."""
    return Kernel(triton.jit(function))


class Launch(NamedTuple):
    kernel: Kernel
    grid: tuple[int, ...]
    tensors: tuple[Tensor, ...]
    constants: Mapping[str, int | float | bool]
    warps: int = 4
    stages: int = 1
    """Tiles of a loop that are in flight at once."""
    contracted: bool = True
    """Whether a product and a sum may be rounded as one."""

    def run(self) -> None:
        """On the current stream of the current device, which is the tensors'."""
        self.kernel.jit[self.grid](
            *self.tensors,
            **self.constants,
            num_warps=self.warps,
            num_stages=self.stages,
            enable_fp_fusion=self.contracted,
        )


def check(tensor: Tensor, name: str, *shape: int) -> None:
    """A kernel knows addresses only. Errors: ValueError where they would not be those of this shape."""
    if tensor.shape != shape or not tensor.is_contiguous():
        raise ValueError(
            f"{name}: {list(tensor.shape)} with strides {tensor.stride()}; a contiguous {list(shape)} is needed"
        )
