"""The estimator: in which direction a batch of half-finished mels moves at one moment."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.attention import Rotary, RotaryEmbedding
from streamer.engines.glm.flow.block import Adaptation, Block, LastNorm
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.inputs import FrameEmbedding
from streamer.engines.glm.flow.time_step import TimeEmbedding
from streamer.engines.glm.flow.tokens import TokenEmbedding


class Given(NamedTuple):
    """What stays the same for a batch of B rows of F frames at all steps."""

    vectors: Tensor
    """[B, F, mel + token width]: condition and token vectors."""
    mask: Tensor
    """[B, F, 1] float32: 1 before a row's end, 0 after it."""
    bias: Tensor
    """[B, 1, 1, F] in the blocks' dtype: 0 before a row's end, -inf after it."""
    rotary: Rotary


class Estimator(nn.Module):
    """State [B, F, mel] at one moment → its velocity [B, F, mel], float32. Frames after a row's end mean nothing."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.time_embed = TimeEmbedding(config.trans_dim)
        self.text_emb_layer = TokenEmbedding(config)
        self.emb_concator = FrameEmbedding(config)
        self.rotary_embed = RotaryEmbedding(config.dim_head)
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm_out = LastNorm(config)
        self.proj_out = nn.Linear(config.trans_dim, config.mel_dim)

    def forward(self, state: Tensor, adaptations: list[Tensor], given: Given) -> Tensor:
        """`adaptations`: one a block and one for the last norm, at this moment."""
        vectors = self.emb_concator(state, given.vectors, given.mask)
        for block, adaptation in zip(self.transformer_blocks, adaptations[:-1], strict=True):
            vectors = block(vectors, adaptation, given.rotary, given.bias)
        velocity: Tensor = self.proj_out(self.norm_out.normed(vectors, adaptations[-1]))
        return velocity

    def narrow(self, dtype: torch.dtype) -> None:
        """Let what costs time compute in `dtype`: products within blocks, and the position convolution.

        The rest stays float32: it is a few percent of the work, and where a mel's last digits are.
        """
        self.emb_concator.conv_pos_embed.to(dtype)
        for block in self._blocks():
            block.attn.to(dtype)
            block.ff.to(dtype)

    def room(self, rows: int, frames: int) -> Given:
        """For what `given` makes of half as many rows: zeros, of frames that all count."""
        device = self.proj_out.weight.device
        kind = next(self._blocks()[0].attn.parameters()).dtype
        width = self.emb_concator.proj.in_features - self.proj_out.out_features
        return Given(
            torch.zeros(rows, frames, width, device=device),
            torch.zeros(rows, frames, 1, device=device),
            torch.zeros(rows, 1, 1, frames, dtype=kind, device=device),
            self.rotary_embed(frames),
        )

    def moment_room(self, rows: int) -> list[Tensor]:
        """For the adaptations of one moment: of each block and the last norm [rows, parts, 1, width], zeros."""
        norms: list[Adaptation] = [*(block.attn_norm for block in self._blocks()), self.norm_out]
        return [norm.room(rows) for norm in norms]

    def given(self, tokens: Tensor, lengths: Tensor, condition: Tensor) -> Given:
        """Tokens [R, F] int64, lengths [R], condition [R, F, mel] → of R rows with their condition, then the same R
        without it."""
        frames = tokens.shape[1]
        inside = torch.arange(frames, device=tokens.device) < lengths[:, None]
        mask = inside[..., None].float()
        embedded = self.text_emb_layer(tokens, mask)
        vectors = torch.cat(
            (
                torch.cat((condition, embedded), dim=-1),
                torch.cat((torch.zeros_like(condition), embedded), dim=-1),
            )
        )
        kind = next(self._blocks()[0].attn.parameters()).dtype
        bias = torch.zeros(inside.shape, dtype=kind, device=tokens.device).masked_fill(~inside, -torch.inf)
        return Given(vectors, mask.repeat(2, 1, 1), bias.repeat(2, 1)[:, None, None], self.rotary_embed(frames))

    def adaptations(self, times: Tensor, speaker: Tensor) -> list[Tensor]:
        """Moments [S] and speaker vectors [B, 192] → for each block and the last norm [S, B, parts, 1, width]."""
        moments = self.time_embed(times)[:, None].expand(-1, len(speaker), -1)
        moments = torch.cat((moments, speaker.expand(len(times), -1, -1)), dim=-1)
        return [*(block.attn_norm(moments) for block in self._blocks()), self.norm_out(moments)]

    def _blocks(self) -> list[Block]:
        return [block for block in self.transformer_blocks if isinstance(block, Block)]
