"""The token embedding: each frame's token with its position, through ConvNeXt-V2 blocks over time.

It sees the whole utterance and depends on tokens alone, so a run needs it once, not at every step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.config import FlowConfig

_KERNEL = 7
_WIDER = 2
_EPSILON = 1e-6
_THETA = 10_000.0


class TokenEmbedding(nn.Module):
    """Tokens [B, F] int64 and mask [B, F, 1] → [B, F, token width], zeros after each row's end."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        width = config.speech_token_dim
        # Drawing 51 million numbers that a checkpoint overwrites would take seconds.
        unset = torch.empty(config.vocab_size + 1, width)
        self.text_embed = nn.Embedding(config.vocab_size + 1, width, _weight=unset)
        self.text_blocks = nn.ModuleList(ConvNeXtBlock(width) for _ in range(config.conv_layers))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        vectors: Tensor = self.text_embed(tokens)
        vectors = (vectors + positions(tokens.shape[1], vectors.shape[2], tokens.device)) * mask
        for block in self.text_blocks:
            vectors = block(vectors, mask)
        return vectors


class ConvNeXtBlock(nn.Module):
    """[B, F, width], zeros after each row's end, and mask [B, F, 1] → the same.

    Depthwise convolution over 7 frames, norm, twice as wide, GELU, response normalization, back; and the residual
    (ConvNeXt V2, Woo et al. 2023, in one dimension).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.pwconv1 = nn.Linear(width, _WIDER * width)
        self.grn = ResponseNorm(_WIDER * width)
        self.pwconv2 = nn.Linear(_WIDER * width, width)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        hidden = self.dwconv(vectors.transpose(1, 2)).transpose(1, 2).contiguous()
        hidden = nn.functional.gelu(self.pwconv1(self.norm(hidden)))
        hidden = self.pwconv2(self.grn(hidden, mask)) * mask
        return vectors.add(hidden)


class ResponseNorm(nn.Module):
    """Global response normalization: [B, F, width] and mask [B, F, 1] → [B, F, width].

    A channel's energy over the valid frames, against the mean over channels, scales it: the one place where all frames
    of an utterance are summed. Padding adds zeros, and the sum always runs over the whole bucket.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        energy = torch.linalg.vector_norm(vectors * mask, dim=1, keepdim=True)
        share = energy / (energy.mean(dim=-1, keepdim=True) + _EPSILON)
        scaled: Tensor = self.gamma * (vectors * share) + self.beta
        return scaled + vectors


def positions(frames: int, width: int, device: torch.device) -> Tensor:
    """[frames, width]: cosines of place x theta^(-2i/width), then sines."""
    powers = torch.arange(0, width, 2, dtype=torch.float32, device=device) / width
    angles = torch.outer(torch.arange(frames, dtype=torch.float32, device=device), 1.0 / _THETA**powers)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)
