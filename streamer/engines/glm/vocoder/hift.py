"""HiFT: mel → samples at 24 kHz. A convolutional network, excited by harmonics, paints the magnitude and phase of a
short spectrum, which is then transformed back (HiFT-Net, Li et al. 2023; iSTFTNet, Kaneko et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tensors import fill, read_pickled
from streamer.engines.glm.vocoder.ends import Conv1d, same_padding, within
from streamer.engines.glm.vocoder.f0 import F0Predictor
from streamer.engines.glm.vocoder.resblock import ResidualBlock
from streamer.engines.glm.vocoder.sizes import (
    DILATIONS,
    HOP,
    RATES,
    SAMPLE_RATE,
    SOURCE_STRIDES,
    SPECTRUM_HOP,
    HiftSizes,
    sizes_of,
)
from streamer.engines.glm.vocoder.source import HarmonicSource
from streamer.engines.glm.vocoder.spectrum import Spectrum
from streamer.engines.glm.vocoder.weight_norm import folded

_SLOPE = 0.1
_LAST_SLOPE = 0.01
_MOST_MAGNITUDE = 100.0
_MOST_SAMPLE = 0.99


class Hift(nn.Module):
    """Rows of one batch may end at different times. A row's bits follow from its own draws, mel and length and from the
    shape of the batch (on a CPU from its T alone), never from what stands in the other rows or from which row it is.

    Names of parameters are those of the checkpoint.
    """

    sample_rate = SAMPLE_RATE
    hop = HOP
    """Samples that a mel frame becomes."""

    def __init__(self, sizes: HiftSizes) -> None:
        super().__init__()
        self.mels = sizes.mels
        """Bins of a mel frame."""
        self.harmonics = sizes.harmonics
        """The fundamental, and its multiples."""
        widths = sizes.channels
        self._blocks = len(sizes.blocks)
        self.f0_predictor = F0Predictor(sizes.mels, sizes.f0_channels, sizes.f0)
        self.m_source = HarmonicSource(sizes.harmonics, SAMPLE_RATE, HOP)
        self._spectrum = Spectrum(sizes.transform, SPECTRUM_HOP)
        parts = 2 * self._spectrum.bins
        self.conv_pre = Conv1d(sizes.mels, widths[0], sizes.before, padding=same_padding(sizes.before))
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(widths[stage], widths[stage + 1], kernel, rate, padding=(kernel - rate) // 2)
            for stage, (kernel, rate) in enumerate(zip(sizes.ups, RATES, strict=True))
        )
        self.source_downs = nn.ModuleList(
            Conv1d(parts, widths[stage + 1], kernel, stride, padding=stride // 2)
            for stage, (kernel, stride) in enumerate(zip(sizes.source_downs, SOURCE_STRIDES, strict=True))
        )
        self.source_resblocks = nn.ModuleList(
            ResidualBlock(width, kernel, DILATIONS)
            for width, kernel in zip(widths[1:], sizes.source_blocks, strict=True)
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(width, kernel, DILATIONS) for width in widths[1:] for kernel in sizes.blocks
        )
        self.conv_post = nn.Conv1d(widths[-1], parts, sizes.after, padding=same_padding(sizes.after))

    @classmethod
    def open(cls, layout: Layout, device: torch.device) -> Hift:
        """The checkpoint's weights in float32. Errors: CheckpointError that names file and tensor."""
        weights = folded(read_pickled(layout.hift), layout.hift)
        hift = cls(sizes_of(weights, layout.hift))
        fill(hift, weights, layout.hift)
        return hift.requires_grad_(False).eval().to(device)

    @property
    def device(self) -> torch.device:
        return self.conv_post.weight.device

    def forward(self, mel: Tensor, lengths: Tensor, start_phase: Tensor, noise: Tensor) -> Tensor:
        """The sound, -0.99 to 0.99.

        mel          [B, mels, T]; what stands beyond a row's length has no effect, here and in noise
        lengths      int64 [B], 0 to T frames
        start_phase  [B, harmonics], uniform in [0, 1). Drawn by the reference and without effect there as here: it is
                     added to the first sample of 480, and only the middle of a frame is ever read (source.py)
        noise        [B, 480 T, harmonics], normal
        → [B, 480 T], zero beyond 480 × a row's length
        """
        if mel.device.type != "cpu" or len(mel) == 1:
            return self.together(mel, lengths, noise)
        # Threads that are no divisor of the rows share one, and a convolution may round otherwise where they meet.
        return torch.cat(
            [self.together(*(each[row : row + 1] for each in (mel, lengths, noise))) for row in range(len(mel))]
        )

    def together(self, mel: Tensor, lengths: Tensor, noise: Tensor) -> Tensor:
        """What `forward` does, all rows in one computation."""
        mask = within(lengths, mel.shape[2])
        mel = mel.masked_fill(mask == 0, 0.0)
        source = self.m_source(self.f0_predictor(mel, mask), noise)
        return self.generate(mel, source, lengths)

    def generate(self, mel: Tensor, source: Tensor, lengths: Tensor) -> Tensor:
        """mel [B, mels, T], zero beyond the end, and source [B, 480 T], not read there → the sound [B, 480 T]."""
        frames = within(lengths * (HOP // SPECTRUM_HOP) + 1, mel.shape[2] * (HOP // SPECTRUM_HOP) + 1)
        excitation = self._spectrum.analyse(source, lengths * HOP, frames)
        x = self.conv_pre(mel, within(lengths, mel.shape[2]))
        ends = lengths
        for stage, rate in enumerate(RATES):
            ends = ends * rate
            x = self.ups[stage](functional.leaky_relu(x, _SLOPE))
            mask = within(ends, x.shape[2])
            if stage == len(RATES) - 1:
                # One frame more, as the spectrum has: the second one, mirrored before the first.
                x, mask = functional.pad(x, (1, 0), mode="reflect"), frames
            x.mul_(mask)
            x.add_(self.source_resblocks[stage](self.source_downs[stage](excitation, mask), mask))
            x = self._mean_of_blocks(stage, x, mask)
        magnitude, angle = self.conv_post(functional.leaky_relu(x, _LAST_SLOPE)).chunk(2, dim=1)
        magnitude = torch.exp(magnitude).clamp(max=_MOST_MAGNITUDE)
        angle = torch.sin(angle)
        spectrum = torch.cat([magnitude * torch.cos(angle), magnitude * torch.sin(angle)], dim=1)
        sound = self._spectrum.resynthesise(spectrum, frames).clamp(-_MOST_SAMPLE, _MOST_SAMPLE)
        return sound * within(lengths * HOP, sound.shape[1]).squeeze(1)

    def _mean_of_blocks(self, stage: int, x: Tensor, mask: Tensor) -> Tensor:
        """[B, C, L] → the same."""
        first, *others = self.resblocks[stage * self._blocks : (stage + 1) * self._blocks]
        total: Tensor = first(x, mask)
        for block in others:
            total = total + block(x, mask)
        return total / self._blocks
