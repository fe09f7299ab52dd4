"""Residual blocks with the periodic activation of BigVGAN (Lee et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.engines.glm.vocoder.ends import Conv1d, same_padding

_NO_DIVISION_BY_ZERO = 1e-9


class Snake(nn.Module):
    """x + sin²(a x) / a, with one learned a a channel. Keeps zeros zero. Ziyin, Hartwig and Ueda 2020."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, L] → the same."""
        alpha = self.alpha[:, None]
        return torch.sin(x * alpha).square_().mul_(1 / (alpha + _NO_DIVISION_BY_ZERO)).add_(x)


class ResidualBlock(nn.Module):
    """x + convolution(Snake(dilated convolution(Snake(x)))), once for each dilation."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def convolution(dilation: int) -> Conv1d:
            padding = same_padding(kernel, dilation)
            return Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)

        self.activations1 = nn.ModuleList(Snake(channels) for _ in dilations)
        self.convs1 = nn.ModuleList(convolution(dilation) for dilation in dilations)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in dilations)
        self.convs2 = nn.ModuleList(convolution(1) for _ in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, C, L], [B, 1, L] → [B, C, L]; x is zero where the mask is, and so is what comes out."""
        layers = zip(self.activations1, self.convs1, self.activations2, self.convs2, strict=True)
        for snake1, dilated, snake2, plain in layers:
            x = plain(snake2(dilated(snake1(x), mask)), mask).add_(x)
        return x
