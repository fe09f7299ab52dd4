"""Samples to audio files: the same bytes at each writing."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.errors import RequestFailed
from streamer.records import FailureCode

_EXTENSIONS: Final = {"wav": "wav"}
# RIFF, then "fmt " (PCM, mono, 2 bytes a frame), then "data"; sizes count what follows them.
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WAV_MAX = 0xFFFFFFFF - _WAV_HEADER.size


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """One audio file. `duration` in seconds; the digests are hex SHA-256 of the file and of its little-endian PCM."""

    data: bytes
    format: str
    sample_rate: int
    frames: int
    duration: float
    sha256: str
    pcm_sha256: str
    extension: str
    """Without the dot."""


def formats() -> tuple[str, ...]:
    """The names that `encode` takes as format."""
    return tuple(_EXTENSIONS)


def encode(samples: NDArray[np.int16], sample_rate: int, format: str, target_rate: int) -> Encoded:
    """Resample mono `samples`, shape (frames,), from `sample_rate` to `target_rate` (both in Hz), and encode them.

    Errors: RequestFailed("invalid_request") for a format that is not one of `formats()`, and for audio that is too
    long for it.
    """
    extension = _EXTENSIONS.get(format)
    if extension is None:
        raise RequestFailed(
            FailureCode.INVALID_REQUEST, f"format is {format!r}; this version writes {', '.join(formats())}"
        )
    if sample_rate != target_rate:
        samples = _resampled(samples, sample_rate, target_rate)
    pcm = samples.astype("<i2", copy=False).tobytes()
    if len(pcm) > _WAV_MAX:
        raise RequestFailed(FailureCode.INVALID_REQUEST, "the audio is longer than a WAV file can be (4 GiB)")
    header = _wav_header(len(pcm), target_rate)
    digest = hashlib.sha256(header)
    digest.update(pcm)
    return Encoded(
        data=header + pcm,
        format=format,
        sample_rate=target_rate,
        frames=len(samples),
        duration=len(samples) / target_rate,
        sha256=digest.hexdigest(),
        pcm_sha256=hashlib.sha256(pcm).hexdigest(),
        extension=extension,
    )


def _resampled(samples: NDArray[np.int16], sample_rate: int, target_rate: int) -> NDArray[np.int16]:
    # Through floats: soxr dithers integers, which makes noise of silence.
    resampled = soxr.resample(samples.astype(np.float32), sample_rate, target_rate, quality="HQ")
    rounded: NDArray[np.int16] = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    return rounded


def _wav_header(size: int, rate: int) -> bytes:
    return _WAV_HEADER.pack(
        b"RIFF", size + _WAV_HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", size
    )
