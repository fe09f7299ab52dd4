"""Attention of every frame to every other of its row, with rotary positions on the first head."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.config import FlowConfig

_THETA = 10_000.0


class Rotary(NamedTuple):
    """Angles of each frame."""

    cosine: Tensor
    """[F, head / 2]"""
    sine: Tensor


class RotaryEmbedding(nn.Module):
    """A number of frames → their angles. The frequencies are among the checkpoint's tensors."""

    inv_freq: Tensor

    def __init__(self, head: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", torch.tensor([_THETA ** (-place / head) for place in range(0, head, 2)]))

    def forward(self, frames: int) -> Rotary:
        places = torch.arange(frames, dtype=torch.float32, device=self.inv_freq.device)
        angles = torch.outer(places, self.inv_freq)
        return Rotary(angles.cos(), angles.sin())


class Attention(nn.Module):
    """[B, F, width], angles and bias [B, 1, 1, F] (0, or -inf at frames not to be seen) → [B, F, width].

    In the dtype of its weights. Rotary positions turn the first `dim_head` channels of all heads laid side by side,
    that is the first head only: the weights were trained so.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        width = config.heads * config.dim_head
        self._heads = config.heads
        self.to_q = nn.Linear(config.trans_dim, width)
        self.to_k = nn.Linear(config.trans_dim, width)
        self.to_v = nn.Linear(config.trans_dim, width)
        self.to_out = nn.Sequential(nn.Linear(width, config.trans_dim))

    def forward(self, vectors: Tensor, rotary: Rotary, bias: Tensor) -> Tensor:
        query = self._split(turned(self.to_q(vectors), rotary))
        key = self._split(turned(self.to_k(vectors), rotary))
        value = self._split(self.to_v(vectors))
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        joined: Tensor = self.to_out(seen.transpose(1, 2).flatten(2))
        return joined

    def _split(self, vectors: Tensor) -> Tensor:
        """[B, F, heads x head] → [B, heads, F, head]"""
        return vectors.view(*vectors.shape[:2], self._heads, -1).transpose(1, 2)


def turned(vectors: Tensor, rotary: Rotary) -> Tensor:
    """[B, F, channels]: the first channels as pairs of neighbours, each turned by its angle; the others as they are."""
    count = 2 * rotary.cosine.shape[1]
    pairs = vectors[..., :count].float().reshape(*vectors.shape[:-1], -1, 2)
    even, odd = pairs.unbind(-1)
    pairs = torch.stack((even * rotary.cosine - odd * rotary.sine, odd * rotary.cosine + even * rotary.sine), dim=-1)
    return torch.cat((pairs.flatten(-2).to(vectors.dtype), vectors[..., count:]), dim=-1)
