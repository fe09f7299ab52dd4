"""Frames of a mel, and the tokens they belong to."""

from __future__ import annotations

import torch
from torch import Tensor

TOKENS_A_SECOND = 25
FRAMES_A_SECOND = 50


def frames_of(tokens: int) -> int:
    """How many frames so many tokens make: two each, but one less where the division rounds down (29, 57, 58, 113).

    Seconds first, then frames, in floating point: the order of the public reference, whose lengths would differ else.
    """
    return int(tokens / TOKENS_A_SECOND * FRAMES_A_SECOND)


def stretched(tokens: Tensor, frames: int) -> Tensor:
    """Nearest neighbours: [N] → [frames], each frame the token that it lies in.

    In 32-bit floating point, as `torch.nn.functional.interpolate` finds them on a CPU. Call it with tokens on the CPU.
    """
    count = len(tokens)
    share = torch.tensor(count, dtype=torch.float32) / frames
    places = (torch.arange(frames, dtype=torch.float32) * share).floor().long().clamp(max=count - 1)
    return tokens[places]
