from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import pytest

from streamer.store.encoding.compressed import compressed
from streamer.store.encoding.ogg import checksum, with_serial
from tests.store.encoding.sounds import chirp, read


class Page(NamedTuple):
    flags: int
    position: int
    serial: int
    number: int
    body: bytes


def long_division(page: bytes) -> int:
    """RFC 3533's checksum, bit by bit."""
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
    return remainder


def pages(data: bytes) -> list[Page]:
    """All pages, their checksums proved."""
    found, place = [], 0
    while place < len(data):
        magic, version, flags, position, serial, number, told, count = struct.unpack_from("<4sBBqIIIB", data, place)
        assert (magic, version) == (b"OggS", 0)
        body = place + 27 + count
        end = body + sum(data[place + 27 : body])
        assert end <= len(data)
        assert long_division(data[place : place + 22] + bytes(4) + data[place + 26 : end]) == told
        found.append(Page(flags, position, serial, number, data[body:end]))
        place = end
    return found


def test_all_but_the_serial_and_the_sums_stays() -> None:
    before = compressed(chirp(16_000, 3), 16_000, "opus")
    after = with_serial(before, 0xDEADBEEF)
    old, new = pages(before), pages(after)
    assert len(old) > 3
    assert len(before) == len(after)
    assert [page._replace(serial=0) for page in old] == [page._replace(serial=0) for page in new]
    assert {page.serial for page in new} == {0xDEADBEEF}
    assert new[0].body.startswith(b"OpusHead")
    assert (new[0].flags, new[-1].flags & 4) == (2, 4)  # it begins, and it ends
    np.testing.assert_array_equal(read(before)[0], read(after)[0])


@pytest.mark.parametrize("serial", [0, 1, 2**32 - 1])
def test_any_serial(serial: int) -> None:
    after = with_serial(compressed(chirp(8_000, 0.1), 8_000, "opus"), serial)
    assert {page.serial for page in pages(after)} == {serial}


def test_the_checksum_is_what_division_gives() -> None:
    assert checksum(b"") == 0
    for size in (1, 2, 27, 255, 1_000):
        page = np.random.default_rng(size).bytes(size)
        assert checksum(page) == long_division(page)
    assert checksum(b"123456789") == 0x89A1897F  # CRC-32 of this kind, as catalogues of checksums list it


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[1:]])
def test_what_is_not_whole_pages_is_refused(damage: object) -> None:
    assert callable(damage)
    data = compressed(chirp(8_000, 0.1), 8_000, "opus")
    with pytest.raises(ValueError, match="Ogg page"):
        with_serial(damage(data), 7)


def test_nothing_is_no_page() -> None:
    assert with_serial(b"", 7) == b""
