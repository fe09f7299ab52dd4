"""Samples of one rate to samples of another."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray


def resampled(samples: NDArray[np.int16], sample_rate: int, target_rate: int) -> NDArray[np.int16]:
    """Mono `samples` from `sample_rate` at `target_rate`, both in Hz.

    soxr's filter also limits the band, so that nothing above half the new rate folds down: a telephone line takes the
    result as it is. What overshoots is clipped.
    """
    if sample_rate == target_rate:
        return samples
    # Through floats: soxr dithers integers, which makes noise of silence.
    wave = soxr.resample(samples.astype(np.float32), sample_rate, target_rate, quality="HQ")
    np.rint(wave, out=wave)
    np.clip(wave, -32768, 32767, out=wave)
    whole: NDArray[np.int16] = wave.astype(np.int16)
    return whole
