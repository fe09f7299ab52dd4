"""Samples for the tests of encoding, and readers of files that share no code with it."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def tone(rate: int, seconds: float = 0.5, frequency: float = 440.0, peak: float = 12_000.0) -> Samples:
    times = np.arange(round(rate * seconds)) / rate
    return np.rint(peak * np.sin(2 * np.pi * frequency * times)).astype(np.int16)


def chirp(rate: int, seconds: float) -> Samples:
    """From 200 to 3,000 Hz, louder and softer: each place in it is like no other."""
    times = np.arange(round(rate * seconds)) / rate
    sweep = np.sin(2 * np.pi * (200 * times + 1_400 * times**2 / seconds))
    return np.rint(9_000 * sweep * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * times))).astype(np.int16)


def every_sample() -> Samples:
    return np.arange(-32768, 32768).astype(np.int16)


def read(data: bytes) -> tuple[Samples, int]:
    """Samples and rate, by libsndfile."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return samples, rate


def delay(samples: Samples, back: Samples, most: int) -> int:
    """By how many samples `back` is late, found by correlation; at most `most` either way."""
    reference, found = samples.astype(np.float64), back.astype(np.float64)
    middle = reference[most:-most]
    scores = [middle @ found[start : start + len(middle)] for start in range(2 * most + 1)]
    return int(np.argmax(scores)) - most


def difference(samples: Samples, back: Samples, rate: int) -> float:
    """Energy of what differs between the spectra of each 20 ms, phases aside, by that of the samples, in decibels."""
    reference, found = (_spectra(one, rate // 50) for one in (samples, back))
    return float(10 * np.log10(np.sum((found - reference) ** 2) / np.sum(reference**2)))


def _spectra(samples: Samples, width: int) -> NDArray[np.float64]:
    frames = samples[: len(samples) // width * width].reshape(-1, width)
    return np.abs(np.fft.rfft(frames * np.hanning(width)))
