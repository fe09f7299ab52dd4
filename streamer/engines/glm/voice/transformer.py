"""The speech tokenizer's layers: Whisper's encoder with causal convolutions, blockwise attention and a code book.

Module names are those of the checkpoint's tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, gelu, pad, scaled_dot_product_attention

from streamer.engines.glm.voice.tokenizer_config import TokenizerConfig

_LEFT = 2
"""Zeros before a convolution of three: it sees nothing that comes later."""


class Encoder(nn.Module):
    """Features → hidden states, one a token."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width = config.d_model
        self._block = config.quantize_causal_block_size
        self._pool = config.pooling_kernel_size
        self.conv1 = nn.Conv1d(config.num_mel_bins, width, kernel_size=3)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2)
        self.embed_positions = _table(config.max_source_positions, width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.quantize_position))
        self.codebook = _table(config.quantize_vocab_size, width)

    def forward(self, mels: Tensor, mask: Tensor) -> Tensor:
        """(pieces, bins, frames) and (pieces, frames) bool → (pieces, frames / 2 / pool, width).

        Frames are a multiple of 2 · pool. Hidden states of padding mean nothing.
        """
        hidden = gelu(self.conv1(pad(mels, (_LEFT, 0))))
        hidden = gelu(self.conv2(pad(hidden, (_LEFT, 0)))).transpose(1, 2)
        hidden = hidden + self.embed_positions.weight[: hidden.shape[1]]
        visible = blockwise(hidden.shape[1], self._block, hidden.device) & mask[:, None, None, ::2]
        for layer in self.layers:
            hidden = layer(hidden, visible)
        pooled: Tensor = avg_pool1d(hidden.transpose(1, 2), self._pool)
        return pooled.transpose(1, 2)


def _table(rows: int, width: int) -> nn.Embedding:
    """Left empty: random numbers on the device "meta" would have torch load its compiler, which takes seconds."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))


class Layer(nn.Module):
    """Attention and feed-forward, each normalized before and added to what came in."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.d_model, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(config.d_model)
        self.fc1 = nn.Linear(config.d_model, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, config.d_model)
        self.final_layer_norm = nn.LayerNorm(config.d_model)

    def forward(self, hidden: Tensor, visible: Tensor) -> Tensor:
        """(pieces, positions, width) and a bool mask that (pieces, 1, positions, keys) broadcasts to → the same."""
        hidden = hidden + self.self_attn(self.self_attn_layer_norm(hidden), visible)
        fed: Tensor = self.fc2(gelu(self.fc1(self.final_layer_norm(hidden))))
        return hidden + fed


class Attention(nn.Module):
    """Of several heads; the keys alone have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, hidden: Tensor, visible: Tensor) -> Tensor:
        """(pieces, positions, width) → the same."""
        query, key, value = (
            projection(hidden).unflatten(2, (self._heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        heard = scaled_dot_product_attention(query, key, value, attn_mask=visible)
        mixed: Tensor = self.out_proj(heard.transpose(1, 2).flatten(2))
        return mixed


def blockwise(positions: int, block: int, device: torch.device) -> Tensor:
    """(positions, positions) bool: a row sees what is not later, and all of its own block."""
    place = torch.arange(positions, device=device)
    return place[None, :] // block <= place[:, None] // block


def nearest(hidden: Tensor, codes: Tensor) -> Tensor:
    """(..., width) and (codes, width) → (...,) int64: the code at the smallest squared distance.

    |h - c|² = |h|² - 2hc + |c|², of which the first is the same for all codes.
    """
    products = hidden.flatten(0, -2) @ codes.T
    return (codes.square().sum(1) - 2.0 * products).argmin(1).view(hidden.shape[:-1])
