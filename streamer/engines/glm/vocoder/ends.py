"""Rows of one batch end at different times. What lies beyond a row's end is kept zero wherever a convolution looks,
so that it meets there what it would meet as its padding if the row were alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def within(lengths: Tensor, size: int) -> Tensor:
    """Shape [B, 1, size], float32: 1 before each row's end, 0 from there on. `lengths`: int64 [B]."""
    places = torch.arange(size, device=lengths.device)
    return (places < lengths[:, None]).unsqueeze(1).to(torch.float32)


def same_padding(kernel: int, dilation: int = 1) -> int:
    """With which a convolution of stride 1 and an odd kernel keeps the length."""
    return (kernel - 1) * dilation // 2


class Conv1d(nn.Conv1d):
    """[B, C_in, L_in] → [B, C_out, L_out], zero where `mask` [B, 1, L_out] is: the bias reaches beyond the end."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x).mul_(mask)
