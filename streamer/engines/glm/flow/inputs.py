"""What a frame is made of, as one vector, and where it stands among its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.config import POSITION_GROUPS, FlowConfig

_KERNEL = 31


class FrameEmbedding(nn.Module):
    """State [B, F, mel], the condition and token vectors [B, F, mel + token width], mask [B, F, 1] → [B, F, width]."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(2 * config.mel_dim + config.speech_token_dim, config.trans_dim)
        self.conv_pos_embed = PositionConvolution(config.trans_dim)

    def forward(self, state: Tensor, given: Tensor, mask: Tensor) -> Tensor:
        vectors: Tensor = self.proj(torch.cat((state, given), dim=-1))
        return vectors.add(self.conv_pos_embed(vectors, mask))


class PositionConvolution(nn.Module):
    """[B, F, width] and mask [B, F, 1] → [B, F, width] float32.

    Two grouped convolutions over 31 frames, each with Mish. Each sees zeros after a row's end, as it would see the
    padding of a row alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1d = nn.Sequential(_convolution(width), nn.Mish(), _convolution(width), nn.Mish())

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        first, mish, second, _ = self.conv1d
        kind = next(first.parameters()).dtype
        inside = mask.transpose(1, 2).to(kind)
        hidden: Tensor = mish(first(vectors.transpose(1, 2).to(kind) * inside))
        hidden = mish(second(hidden * inside))
        return hidden.transpose(1, 2).float()


def _convolution(width: int) -> nn.Conv1d:
    return nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2, groups=POSITION_GROUPS)
