"""The mel that the flow continues from, 50 frames a second at either rate."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from streamer.engines.glm.voice.filterbank import slaney

_BINS = 80
_HIGH = 8_000.0
_FRAMES_A_SECOND = 50
_HOPS_A_WINDOW = 4


class Mel:
    """Of one sample rate: 24 kHz has windows of 1920 samples and hops of 480, 32 kHz of 2560 and 640."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._hop = sample_rate // _FRAMES_A_SECOND
        self._size = _HOPS_A_WINDOW * self._hop
        self._window = torch.hann_window(self._size)
        self._bank = slaney(sample_rate, self._size, _BINS, _HIGH)

    def __call__(self, wave: Tensor) -> Tensor:
        """(samples,) at the sample rate → (samples // hop, 80) natural logarithms of magnitudes.

        Reflected by (window - hop) / 2 at both ends instead of centred, so that no frame is half a frame late. The
        wave has to be longer than that.
        """
        edge = (self._size - self._hop) // 2
        reflected = pad(wave[None, None], (edge, edge), mode="reflect")[0, 0]
        spectrum = torch.stft(
            reflected, self._size, self._hop, window=self._window, center=False, onesided=True, return_complex=True
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        return (self._bank @ magnitude).clamp(min=1e-5).log().T.contiguous()
