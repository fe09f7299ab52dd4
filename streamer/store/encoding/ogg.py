"""Ogg pages (RFC 3533): the serial number of a stream, and the checksums that go with it."""

from __future__ import annotations

import struct
import zlib
from typing import Final

_MAGIC: Final = b"OggS"
_SERIAL = struct.Struct("<I")
_SERIAL_AT: Final = 14
_CHECKSUM_AT: Final = 22
_SEGMENTS_AT: Final = 26
_HEADER: Final = 27

# Each byte with its bits the other way round.
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def with_serial(data: bytes, serial: int) -> bytes:
    """The same pages of one stream under another serial number, from 0 to 2**32 - 1.

    Errors: ValueError for what is no whole number of pages.
    """
    pages, place = bytearray(data), 0
    while place < len(pages):
        end = _end(pages, place)
        _SERIAL.pack_into(pages, place + _SERIAL_AT, serial)
        _SERIAL.pack_into(pages, place + _CHECKSUM_AT, 0)  # counts as 0 in the sum
        _SERIAL.pack_into(pages, place + _CHECKSUM_AT, checksum(bytes(pages[place:end])))
        place = end
    return bytes(pages)


def checksum(page: bytes) -> int:
    """Ogg's CRC-32: polynomial 0x04c11db7, highest bit first, from 0, not inverted.

    zlib's has the same polynomial, lowest bit first and inverted at both ends; mirrored bytes and two complements make
    one of the other, at zlib's speed.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def _end(pages: bytearray, place: int) -> int:
    segments = place + _HEADER
    if pages[place : place + len(_MAGIC)] != _MAGIC or segments > len(pages):
        raise ValueError(f"no Ogg page at byte {place}")
    body = segments + pages[place + _SEGMENTS_AT]
    end = body + sum(pages[segments:body])
    if end > len(pages):
        raise ValueError(f"the Ogg page at byte {place} is cut short")
    return end
