"""FLAC, MP3 and OGG Opus, by libsndfile."""

from __future__ import annotations

import io
import types
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from streamer.errors import RequestFailed
from streamer.records import FailureCode

_OPUS_BITS: Final = 32_000
"""A second. RFC 6716, section 2.1.1: full-band mono speech needs 28 to 40 kbit/s; lower rates get by with it."""

# libsndfile's levels run from 0 to 1. All is named, so that a new version's defaults change nothing.
_OPTIONS: Final = types.MappingProxyType(
    {
        # flac's own default, 5 of 8: the highest saves 2 to 5 % of the bytes and takes twice the time.
        "flac": {"format": "FLAC", "subtype": "PCM_16", "compression_level": 0.625},
        # LAME's V5, 30 to 85 kbit/s with the rate. Not constant: at low bit rates that leaves no room for the tag
        # which tells players how much silence the encoder put at both ends.
        "mp3": {
            "format": "MP3",
            "subtype": "MPEG_LAYER_III",
            "compression_level": 0.5,
            "bitrate_mode": "VARIABLE",
        },
        # libsndfile spreads 256 down to 6 kbit/s over its levels.
        "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": (256_000 - _OPUS_BITS) / 250_000},
    }
)


def compressed(samples: NDArray[np.int16], rate: int, format: str) -> bytes:
    """Mono `samples` at `rate` Hz as a file of "flac", "mp3" or "opus", the last with a random serial number.

    What the encoders of mp3 and opus put before and after, the file says, and decoders take away again.

    Errors: RequestFailed("speech_rejected") for no samples at all, of which libsndfile makes a file that it does not
    read.
    """
    if not len(samples):
        raise RequestFailed(FailureCode.SPEECH_REJECTED, f"the speech is empty, which {format} cannot hold")
    file, options = io.BytesIO(), dict[str, Any](_OPTIONS[format])
    with soundfile.SoundFile(file, "w", samplerate=rate, channels=1, **options) as writer:
        writer.write(samples)
    return file.getvalue()


def library() -> str:
    """The versions behind `compressed`.

    soundfile's wheels carry libFLAC, LAME and libopus, so that its version stands for theirs; a system's libsndfile
    does not say which it found.
    """
    return f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
