"""Prompts of every kind, made here."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

KINDS = {
    "wav": ("WAV", "PCM_16"),
    "wav float": ("WAV", "FLOAT"),
    "wav extensible": ("WAVEX", "PCM_24"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg vorbis": ("OGG", "VORBIS"),
    "ogg opus": ("OGG", "OPUS"),
}
_AT_ONCE = 8_000
"""Samples; libsndfile's Vorbis encoder puts what it is given on the stack."""


def voiced(seconds: float, rate: int, channels: int = 1) -> NDArray[np.float32]:
    """Shape (samples, channels): harmonics that swell three times a second, a little noise; each channel softer."""
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * 180 * harmonic * time) / harmonic for harmonic in range(1, 9))
    tone = 0.2 * tone * (1.1 + np.sin(2 * np.pi * 3 * time))
    tone += np.random.default_rng(0).normal(0, 0.005, len(time))
    return np.stack([tone / (channel + 1) for channel in range(channels)], axis=1).astype(np.float32)


def file(samples: NDArray[np.float32], rate: int, kind: str = "wav") -> bytes:
    """The bytes of one of KINDS."""
    container, subtype = KINDS[kind]
    return written(samples, rate, container, subtype)


def written(samples: NDArray[np.generic], rate: int, container: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=rate, channels=samples.shape[1], format=container, subtype=subtype
    ) as out:
        for start in range(0, len(samples), _AT_ONCE):
            out.write(samples[start : start + _AT_ONCE])
    return buffer.getvalue()
