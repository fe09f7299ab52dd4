"""Samples to one audio file."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.errors import RequestFailed
from streamer.formats import FORMATS, known, refusal
from streamer.records import FailureCode
from streamer.store.encoding import g711, ogg, wav
from streamer.store.encoding.compressed import compressed, library
from streamer.store.encoding.resampling import resampled

_REVISION: Final = 1
"""To be raised when this package's own code changes a byte."""


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """One audio file.

    `frames`, `duration` (seconds) and `pcm_sha256` describe the samples that went in, at `sample_rate`, before any
    loss: 16 bits, little-endian. `sha256` is the file's. Both are hex.
    """

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
    return tuple(FORMATS)


def version() -> str:
    """What changes the bytes beside samples, rates and format: the encoders' versions.

    The processor may as well: libFLAC, LAME, libopus and soxr compute in floats, by the vector instructions they find.
    """
    return f"encoding {_REVISION}, {library()}, soxr {soxr.__version__} ({soxr.__libsoxr_version__})"


def encode(samples: NDArray[np.int16], sample_rate: int, format: str, target_rate: int) -> Encoded:
    """Resample mono `samples`, shape (frames,), from `sample_rate` to `target_rate` (both in Hz), and encode them.

    The same bytes at each writing, in any process or thread, with the same `version()`.

    Errors: RequestFailed("invalid_request") for a format that is not one of `formats()` or is not written at this
    rate, and for audio that is too long for it; RequestFailed("speech_rejected") for silence of no length, where the
    format cannot hold it.
    """
    extension = known(format).extension
    if reason := refusal(format, target_rate):
        raise RequestFailed(FailureCode.INVALID_REQUEST, f"sample_rate: {reason}")
    pcm = np.ascontiguousarray(resampled(samples, sample_rate, target_rate), "<i2")
    pcm_digest = hashlib.sha256(pcm.data)
    data = _file(pcm, target_rate, format, int.from_bytes(pcm_digest.digest()[:4], "big"))
    return Encoded(
        data=data,
        format=format,
        sample_rate=target_rate,
        frames=len(pcm),
        duration=len(pcm) / target_rate,
        sha256=hashlib.sha256(data).hexdigest(),
        pcm_sha256=pcm_digest.hexdigest(),
        extension=extension,
    )


def _file(pcm: NDArray[np.int16], rate: int, format: str, serial: int) -> bytes:
    """`serial`: the OGG stream's, drawn from the samples, where libsndfile would draw lots."""
    match format:
        case "pcm":
            return pcm.tobytes()
        case "alaw":
            return g711.alaw(pcm).tobytes()
        case "ulaw":
            return g711.ulaw(pcm).tobytes()
        case "wav":
            return _wav(wav.Tag.PCM, rate, pcm, len(pcm))
        case "wav_alaw":
            return _wav(wav.Tag.ALAW, rate, g711.alaw(pcm), len(pcm))
        case "wav_ulaw":
            return _wav(wav.Tag.ULAW, rate, g711.ulaw(pcm), len(pcm))
        case "opus":
            return ogg.with_serial(compressed(pcm, rate, format), serial)
        case _:
            return compressed(pcm, rate, format)


def _wav(tag: wav.Tag, rate: int, samples: NDArray[np.int16] | g711.Codes, frames: int) -> bytes:
    return b"".join((wav.header(tag, rate, frames), samples.data, wav.padding(samples.nbytes)))
