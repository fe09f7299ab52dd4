"""The header of a WAV file."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from streamer.errors import RequestFailed
from streamer.records import FailureCode

_MAX: Final = 0xFFFFFFFF
"""Bytes that a chunk can say it has."""
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")


class Tag(IntEnum):
    """How the samples are written (RFC 2361)."""

    PCM = 1
    ALAW = 6
    ULAW = 7


def header(tag: Tag, rate: int, frames: int) -> bytes:
    """All that stands before the samples of a mono file at `rate` Hz.

    After an odd number of bytes of samples, `padding` has to follow. Errors: RequestFailed("invalid_request") beyond
    4 GiB, which RIFF cannot count.
    """
    width = 2 if tag is Tag.PCM else 1
    size = frames * width
    description = _FORMAT.pack(tag, 1, rate, rate * width, width, 8 * width)
    between = _chunk(b"fmt ", description)
    if tag is not Tag.PCM:  # others also say how long their extension is, and how many frames there are
        between = _chunk(b"fmt ", description + bytes(2)) + _chunk(b"fact", struct.pack("<I", min(frames, _MAX)))
    whole = len(b"WAVE") + len(between) + _CHUNK.size + size + len(padding(size))
    if whole > _MAX:
        raise RequestFailed(
            FailureCode.INVALID_REQUEST, "format: the audio is longer than a WAV file can be (4 GiB); choose flac"
        )
    return _CHUNK.pack(b"RIFF", whole) + b"WAVE" + between + _CHUNK.pack(b"data", size)


def padding(size: int) -> bytes:
    """What follows a chunk of `size` bytes: chunks begin at even places."""
    return bytes(size % 2)


def _chunk(name: bytes, body: bytes) -> bytes:
    return _CHUNK.pack(name, len(body)) + body
