"""Rows to be vocoded, and batches of them in any shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.vocoder.hift import Hift


class Row(NamedTuple):
    mel: Tensor
    """[mels, T]"""
    start_phase: Tensor
    """[harmonics]"""
    noise: Tensor
    """[480 T, harmonics]"""

    @property
    def frames(self) -> int:
        return self.mel.shape[1]


def row(hift: Hift, frames: int, seed: int) -> Row:
    """Made up, but always the same for one seed and length."""
    generator = torch.Generator().manual_seed(1000 * seed + frames)
    return Row(
        2 * torch.randn(hift.mels, frames, generator=generator) - 2,
        torch.rand(hift.harmonics, generator=generator),
        torch.randn(hift.hop * frames, hift.harmonics, generator=generator),
    )


class Batch(NamedTuple):
    """What a vocoder takes."""

    mel: Tensor
    lengths: Tensor
    start_phase: Tensor
    noise: Tensor


def batch(hift: Hift, rows: Sequence[Row], bucket: int, garbage: float = 0.0) -> Batch:
    """The rows padded to the bucket; what stands beyond a row's end is `garbage`."""
    dtype = hift.conv_post.weight.dtype
    mels = torch.full((len(rows), hift.mels, bucket), garbage, dtype=dtype)
    noise = torch.full((len(rows), hift.hop * bucket, hift.harmonics), garbage, dtype=dtype)
    for index, each in enumerate(rows):
        mels[index, :, : each.frames] = each.mel
        noise[index, : hift.hop * each.frames] = each.noise
    lengths = torch.tensor([each.frames for each in rows])
    return Batch(mels, lengths, torch.stack([each.start_phase for each in rows]).to(dtype), noise)


def vocode(hift: Hift, rows: Sequence[Row], bucket: int, garbage: float = 0.0) -> Tensor:
    """[rows, 480 bucket]."""
    sounds: Tensor = hift(*batch(hift, rows, bucket, garbage))
    return sounds


def vocode_together(hift: Hift, rows: Sequence[Row], bucket: int, garbage: float = 0.0) -> Tensor:
    """The same as another device than a CPU computes it: not row by row."""
    inputs = batch(hift, rows, bucket, garbage)
    return hift.together(inputs.mel, inputs.lengths, inputs.noise)
