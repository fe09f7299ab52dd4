"""Triton's interpreter, with what it lacks.

Version 3.6 of it cuts float32 to bfloat16 instead of rounding, multiplies matrices of bfloat16 as the integers that it
keeps them in, and fails at a loop whose bounds are of the device where numpy is 2.4 or newer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from triton import language as tl
from triton.runtime import interpreter


def mend() -> None:
    """For the rest of this process, which should be one of its own."""
    builder, patch, cast = interpreter.InterpreterBuilder, interpreter._patch_lang_tensor, _cast
    former = builder.cast_impl

    def patched(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    def cast_impl(self: Any, source: Any, wanted: Any) -> Any:
        kinds = source.dtype.scalar, wanted.scalar
        if kinds in ((tl.float32, tl.bfloat16), (tl.bfloat16, tl.float32)):
            return interpreter.TensorHandle(cast(source.data), wanted.scalar)
        return former(self, source, wanted)

    def create_dot(self: Any, left: Any, right: Any, added: Any, *precision: Any) -> Any:
        factors = [cast(each.data) if each.dtype.scalar == tl.bfloat16 else each.data for each in (left, right)]
        return interpreter.TensorHandle(np.matmul(*factors) + added.data, added.dtype.scalar)

    interpreter._patch_lang_tensor = patched
    builder.cast_impl = cast_impl
    builder.create_dot = create_dot


def _cast(data: NDArray[Any]) -> NDArray[Any]:
    """float32 → bfloat16, to the nearest, in the uint16 that it is kept in; and back."""
    tensor = torch.from_numpy(np.ascontiguousarray(data))
    if data.dtype == np.uint16:
        return tensor.view(torch.bfloat16).to(torch.float32).numpy()
    return tensor.to(torch.bfloat16).view(torch.uint16).numpy()
