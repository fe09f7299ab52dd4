"""Everything that is random in a segment, from its seed alone: tokens, the flow's noise, the vocoder's.

Two sources, equal in distribution. `CounterDraws` is a function of (seed, segment, purpose, step), needs no state and
no order, and is asked once for all steps. `ReferenceDraws` makes the calls of the public code, in its order, so that
the same numbers come out there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

import torch
from torch import Tensor

from streamer.engines.glm.philox import Stream
from streamer.errors import EngineError

MELS = 80
HARMONICS = 9
HOP = 480
"""Samples a frame at 24 kHz."""
CHOICES = 2
"""Draws that a step of the LLM may need: one among the candidates, and one more if that repeats."""

Chooser = Callable[[Tensor], int]
"""Draws an index in proportion to weights [K] float32, on the CPU, which need not add up to 1."""


class Draws(Protocol):
    """The draws of one segment. To be asked in this order: tokens, flow, vocoder."""

    def tokens(self, steps: int) -> Tensor | Chooser:
        """What up to `steps` tokens are drawn by: numbers in [0, 1), [steps, CHOICES] float64, or who draws."""
        ...

    def flow_noise(self, frames: int) -> Tensor:
        """[frames, 80] float32, normally distributed."""
        ...

    def vocoder(self, frames: int) -> tuple[Tensor, Tensor]:
        """Start phases [9] float32 in [0, 1), and noise [480 * frames, 9] float32, normally distributed."""
        ...


class ReferenceDraws:
    """One CPU generator; what it draws depends on what was drawn before."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._flowed = False

    def tokens(self, steps: int) -> Chooser:
        return self._choose

    def flow_noise(self, frames: int) -> Tensor:
        self._flowed = True
        return torch.randn(1, frames, MELS, generator=self._generator)[0]

    def vocoder(self, frames: int) -> tuple[Tensor, Tensor]:
        """Errors: EngineError before the flow's noise was drawn."""
        if not self._flowed:
            raise EngineError("the vocoder's noise was drawn before the flow's, which comes first in the reference")
        phase = torch.rand(1, HARMONICS, generator=self._generator)[0]
        # There it takes the memory of a transposed tensor, harmonic after harmonic, which torch fills one by one and by
        # another transform than `randn`: whole runs part from the golden ones by more than a percent else.
        noise = torch.empty(HARMONICS, HOP * frames).T.normal_(generator=self._generator).contiguous()
        # The reference also draws a noise for unvoiced sound and never uses it; it comes last and moves nothing here.
        return phase, noise

    def _choose(self, weights: Tensor) -> int:
        return int(torch.multinomial(weights, 1, generator=self._generator))


class _Purpose(IntEnum):
    """A stream of its own for each thing that is drawn."""

    TOKENS = 0
    FLOW = 1
    PHASE = 2
    VOCODER = 3


class CounterDraws:
    """Philox. Drawn on any device, by any thread, in any order and again, the numbers are the same."""

    def __init__(self, seed: int, segment: int, device: torch.device | str = "cpu") -> None:
        """`seed`: its lower 64 bits count. Errors: EngineError where `segment` has more than 32 bits."""
        if not 0 <= segment < 1 << 32:
            raise EngineError(f"segment {segment} is not a number of 32 bits")
        self._seed = seed % (1 << 64)
        self._segment = segment
        self._device = device

    def tokens(self, steps: int) -> Tensor:
        return self._stream(_Purpose.TOKENS).uniforms(steps)

    def flow_noise(self, frames: int) -> Tensor:
        return self._normals(_Purpose.FLOW, frames, MELS)

    def vocoder(self, frames: int) -> tuple[Tensor, Tensor]:
        phase = self._stream(_Purpose.PHASE).uniforms(-(-HARMONICS // 2)).flatten()[:HARMONICS]
        # Rounded down: the nearest float32 may be 1.
        phase = (phase * 2.0**24).floor_().mul_(2.0**-24).to(torch.float32)
        return phase, self._normals(_Purpose.VOCODER, HOP * frames, HARMONICS)

    def _stream(self, purpose: _Purpose) -> Stream:
        return Stream(self._seed, purpose, self._segment, self._device)

    def _normals(self, purpose: _Purpose, length: int, channels: int) -> Tensor:
        """[length, channels]; the numbers of a shorter one begin a longer one."""
        count = length * channels
        return self._stream(purpose).normals(-(-count // 4)).flatten()[:count].view(length, channels)
