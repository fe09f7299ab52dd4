"""What the speech tokenizer sees: Whisper's log-mel spectrogram of 16 kHz samples, in pieces of 30 s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from streamer.engines.glm.voice.filterbank import slaney

RATE = 16_000
HOP = 160
SIZE = 400
PIECE = 30 * RATE
_HIGH = 8_000.0
_SPAN = 8.0
"""Powers of ten below the loudest point of a piece that still count."""


class Features(NamedTuple):
    """A batch of pieces."""

    mels: Tensor
    """(pieces, bins, frames) float32, 100 frames a second."""
    mask: Tensor
    """(pieces, frames) bool: whether a frame begins within the piece, not in its padding."""


class LogMel:
    """Features of pieces; `multiple` is how many samples their padded length is a multiple of."""

    def __init__(self, bins: int, multiple: int) -> None:
        self._multiple = multiple
        self._window = torch.hann_window(SIZE)
        self._bank = slaney(RATE, SIZE, bins, _HIGH)

    def __call__(self, pieces: Sequence[Tensor]) -> Features:
        """Pieces of (samples,) each, padded with silence to the longest of them."""
        longest = max(len(piece) for piece in pieces)
        longest += -longest % self._multiple
        padded = torch.stack([pad(piece, (0, longest - len(piece))) for piece in pieces])
        lengths = torch.tensor([len(piece) for piece in pieces])
        starts = torch.arange(0, longest, HOP)
        return Features(self._mels(padded), starts[None, :] < lengths[:, None])

    def _mels(self, padded: Tensor) -> Tensor:
        """(pieces, samples) → (pieces, bins, samples // 160)."""
        spectrum = torch.stft(padded, SIZE, HOP, window=self._window, center=True, return_complex=True)
        # The last frame stands on the first sample after the end.
        power = spectrum[..., :-1].abs().square()
        mels = (self._bank @ power).clamp(min=1e-10).log10()
        floor = mels.amax(dim=(1, 2), keepdim=True) - _SPAN
        return (torch.maximum(mels, floor) + 4.0) / 4.0


def pieces_of(wave: Tensor) -> list[Tensor]:
    """(samples,) at 16 kHz, cut every 30 s."""
    return list(torch.split(wave, PIECE))
