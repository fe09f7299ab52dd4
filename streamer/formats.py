"""The audio formats: what they are called, at which rates they are written, and by which rate one that is not named."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from streamer.errors import RequestFailed
from streamer.records import FailureCode

FormatName = Literal["wav", "flac", "mp3", "opus", "pcm", "alaw", "ulaw", "wav_alaw", "wav_ulaw"]

MIN_RATE: Final = 8_000
MAX_RATE: Final = 48_000
TELEPHONE_RATE: Final = 8_000
"""Hz, of ITU-T G.711."""

_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""ISO/IEC 11172-3 and 13818-3, and their halves (MPEG-2.5)."""
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""RFC 6716, section 2."""


class Format(NamedTuple):
    """What is fixed for a format."""

    extension: str
    """Without the dot."""
    media_type: str
    rates: tuple[int, ...] = ()
    """Hz, ascending; empty: any from MIN_RATE to MAX_RATE."""
    telephony: bool = False
    """TELEPHONE_RATE unless the request says otherwise."""

    def takes(self, rate: int) -> bool:
        return rate in self.rates if self.rates else MIN_RATE <= rate <= MAX_RATE

    @property
    def rates_text(self) -> str:
        return ", ".join(map(str, self.rates)) if self.rates else f"{MIN_RATE} to {MAX_RATE}"


_WAV = "audio/wav"

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "wav": Format("wav", _WAV),
        "flac": Format("flac", "audio/flac"),  # RFC 9639
        "mp3": Format("mp3", "audio/mpeg", _MP3_RATES),  # RFC 3003
        "opus": Format("opus", "audio/ogg; codecs=opus", _OPUS_RATES),  # RFC 7845
        # Headerless. Asterisk plays .raw as signed 16 bit and .alaw and .ulaw as G.711, but takes .pcm for mu-law.
        # No audio/L16 for the first: that is big-endian (RFC 2586).
        "pcm": Format("raw", "application/octet-stream", telephony=True),
        "alaw": Format("alaw", "audio/PCMA", telephony=True),  # RFC 4856
        "ulaw": Format("ulaw", "audio/PCMU", telephony=True),
        "wav_alaw": Format("wav", _WAV, telephony=True),
        "wav_ulaw": Format("wav", _WAV, telephony=True),
    }
)

_MEDIA_TYPES: Final = MappingProxyType({format.extension: format.media_type for format in FORMATS.values()})


def default_rate(format: str, configured: int) -> int:
    """Hz for a request that names no sample_rate.

    `configured` (audio.sample_rate, Hz) or, where the format cannot be written at that, the next higher one; telephony
    has its own. Errors: RequestFailed("invalid_request") for an unknown format.
    """
    found = known(format)
    if found.telephony:
        return TELEPHONE_RATE
    return next((rate for rate in found.rates if rate >= configured), configured)


def chosen(format: str | None, rate: int | None, configured_format: str, configured_rate: int) -> tuple[str, int]:
    """The format and its rate in Hz for a request that names these, or not.

    Errors: RequestFailed("invalid_request") where that format is not written at that rate.
    """
    name = format or configured_format
    hertz = rate or default_rate(name, configured_rate)
    if reason := refusal(name, hertz):
        raise RequestFailed(FailureCode.INVALID_REQUEST, f"sample_rate: {reason}")
    return name, hertz


def media_type(extension: str) -> str:
    """Of a file with this extension (no dot), such as audio/wav; application/octet-stream for one that is not ours."""
    return _MEDIA_TYPES.get(extension, "application/octet-stream")


def known(format: str) -> Format:
    """Errors: RequestFailed("invalid_request") that names those there are."""
    found = FORMATS.get(format)
    if found is None:
        raise RequestFailed(
            FailureCode.INVALID_REQUEST, f"format is {format!r}; this version writes {', '.join(FORMATS)}"
        )
    return found


def refusal(format: str, rate: int) -> str | None:
    """Why `format` cannot be written at `rate` in Hz, to follow the words "sample_rate"; None where it can.

    Errors: RequestFailed("invalid_request") for an unknown format.
    """
    found = known(format)
    if found.takes(rate):
        return None
    return f"is {rate}, and format {format} is written at {found.rates_text} a second; change either"
