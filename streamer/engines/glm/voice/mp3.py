"""How long an MP3 file is, by its frames.

libsndfile only estimates it where the first frame does not say, and then decodes no more than it estimated: half of the
sound, where the bit rate doubles. Frames are counted here, by their headers (ISO/IEC 11172-3, 2.4.2.3; 13818-3).
"""

from __future__ import annotations

from typing import NamedTuple

SLACK = 4
"""Frames that may hold no sound: what states the length, the encoder's delay, the decoder's, the padding at the end."""
_BITRATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""kbit/s of the indexes 1 to 14; 0 is free, 15 forbidden."""
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LAYER_3 = 1
_MOST_STRAY = 2**14
"""Bytes of 255 that begin no frame: those of a tag, mostly after the last one. Of more, counting would take long."""


class _Frame(NamedTuple):
    rate: int
    samples: int
    size: int
    """Bytes."""


class Counted(NamedTuple):
    samples: int
    """A channel, those of frames without sound included."""
    slack: int
    """How many of them may be no sound."""


def count(sound: bytes, most: float) -> Counted:
    """Up to a little over `most` seconds. 0 samples: no frames of a known kind."""
    place, samples, size = _after_tag(sound), 0, 0
    stray = 0
    while stray < _MOST_STRAY:
        frame = _frame(sound[place : place + 4])
        if frame is None:
            stray += 1
            place = sound.find(b"\xff", place + 1)
            if place < 0:
                break
            continue
        place += frame.size
        samples += frame.samples
        size = frame.samples
        if samples > most * frame.rate + 2 * SLACK * size:
            break
    return Counted(samples, SLACK * size)


def _after_tag(sound: bytes) -> int:
    """Behind an ID3v2 tag, whose size has seven bits a byte."""
    if sound[:3] != b"ID3" or len(sound) < 10:
        return 0
    size = 0
    for byte in sound[6:10]:
        size = size << 7 | byte & 0x7F
    footer = 10 if sound[5] & 0x10 else 0
    return 10 + size + footer


def _frame(header: bytes) -> _Frame | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version not in _RATES or layer != _LAYER_3 or rate == 3 or not 1 <= bitrate <= 14:
        return None
    first = version == 3
    samples = 1_152 if first else 576
    bits = (_BITRATES_1 if first else _BITRATES_2)[bitrate - 1] * 1_000
    return _Frame(_RATES[version][rate], samples, samples // 8 * bits // _RATES[version][rate] + padding)
