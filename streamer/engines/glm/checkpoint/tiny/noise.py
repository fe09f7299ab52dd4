"""Numbers that depend on a seed and a name only: neither on an order nor on the machine."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Noise:
    """Uniform numbers, whose bits come from integers and one product; a normal draw would ask the machine's libm."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, name: str, shape: tuple[int, ...], deviation: float, mean: float = 0.0) -> Floats:
        """float32 of this shape, with this mean and standard deviation; always the same under one name."""
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        unit = generator.random(shape, dtype=np.float32)
        width = np.float32(2 * math.sqrt(3) * deviation)
        return (unit - np.float32(0.5)) * width + np.float32(mean)
