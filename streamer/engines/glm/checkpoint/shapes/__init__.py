"""Which tensors each file of a checkpoint has, and of which shape, as its configuration tells it.

Known by the names in which the official files load (tests/golden/shapes, tests/golden/checkpoint_tensors.json). Nothing
here needs torch: it serves to check files without loading them, and to write tiny ones.
"""

from __future__ import annotations

Shapes = dict[str, tuple[int, ...]]
"""Name of a tensor → its shape."""


def linear(name: str, out: int, of: int, *, bias: bool = True) -> Shapes:
    """Those of a linear layer [out, of]."""
    return {f"{name}.weight": (out, of)} | ({f"{name}.bias": (out,)} if bias else {})


def norm(name: str, size: int) -> Shapes:
    """Those of a layer norm with weight and bias."""
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def conv(name: str, out: int, of: int, kernel: int) -> Shapes:
    """Those of a one-dimensional convolution; `of` is the number of channels of one group."""
    return {f"{name}.weight": (out, of, kernel), f"{name}.bias": (out,)}
