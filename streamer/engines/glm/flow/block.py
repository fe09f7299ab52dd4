"""The transformer block, with norms that time and speaker adapt (adaLN-zero of DiT, Peebles and Xie 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.attention import Attention, Rotary
from streamer.engines.glm.flow.config import SPEAKER, FlowConfig

_EPSILON = 1e-6


class Adaptation(nn.Module):
    """What a norm does at a moment to a speaker: [..., width + speaker] → [..., parts, 1, width].

    It depends on no frame, so a run finds it for all steps at once.
    """

    def __init__(self, config: FlowConfig, parts: int) -> None:
        super().__init__()
        self._parts = parts
        self.linear = nn.Linear(config.trans_dim + SPEAKER, parts * config.trans_dim)

    def forward(self, moment: Tensor) -> Tensor:
        adapted: Tensor = self.linear(nn.functional.silu(moment))
        return adapted.view(*moment.shape[:-1], self._parts, 1, -1)

    def room(self, rows: int) -> Tensor:
        """Zeros for the adaptations of so many rows, [rows, parts, 1, width]."""
        weight = self.linear.weight
        return torch.zeros(rows, self._parts, 1, len(weight) // self._parts, dtype=weight.dtype, device=weight.device)


class Block(nn.Module):
    """[B, F, width] float32 → the same: attention, then two layers, each behind its norm and gate.

    `adaptation` [B, 6, 1, width]: shift, scale and gate of the attention, then of the layers. The residual and the
    norms are float32; attention and layers compute in the dtype of their weights, which is that of `bias`.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.attn_norm = Adaptation(config, 6)
        self.attn = Attention(config)
        self.ff = FeedForward(config.trans_dim, config.ff_mult)

    def forward(self, vectors: Tensor, adaptation: Tensor, rotary: Rotary, bias: Tensor) -> Tensor:
        shift, scale, gate, shift_after, scale_after, gate_after = adaptation.unbind(1)
        kind = bias.dtype
        seen: Tensor = self.attn(_normed(vectors, scale, shift).to(kind), rotary, bias)
        vectors = vectors + gate * seen
        layers: Tensor = self.ff(_normed(vectors, scale_after, shift_after).to(kind))
        return vectors + gate_after * layers


class FeedForward(nn.Module):
    """[B, F, width] → the same, each frame for itself."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        inner = nn.Sequential(nn.Linear(width, wider * width), nn.GELU(approximate="tanh"))
        self.ff = nn.Sequential(inner, nn.Identity(), nn.Linear(wider * width, width))

    def forward(self, vectors: Tensor) -> Tensor:
        layers: Tensor = self.ff(vectors)
        return layers


class LastNorm(Adaptation):
    """The norm before the mel: `adaptation` [B, 2, 1, width] is scale, then shift (the other order than in a block)."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config, 2)

    @staticmethod
    def normed(vectors: Tensor, adaptation: Tensor) -> Tensor:
        scale, shift = adaptation.unbind(1)
        return _normed(vectors, scale, shift)


def _normed(vectors: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return nn.functional.layer_norm(vectors, vectors.shape[-1:], eps=_EPSILON) * (1 + scale) + shift
