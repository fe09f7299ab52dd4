from __future__ import annotations

import hashlib

import numpy as np
import pytest

from streamer.errors import RequestFailed
from streamer.store.encoding.compressed import compressed, library
from streamer.store.encoding.ogg import with_serial
from tests.store.encoding.sounds import chirp

STREAM_INFO = 8
"""Where FLAC's first block begins, after the marker and the block's header (RFC 9639, section 8.2)."""


def test_flac_knows_the_digest_of_the_samples() -> None:
    samples = chirp(24_000, 1.0)
    data = compressed(samples, 24_000, "flac")
    assert data[:4] == b"fLaC"
    assert data[STREAM_INFO + 18 : STREAM_INFO + 34] == hashlib.md5(samples.tobytes(), usedforsecurity=False).digest()


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_mp3_says_in_its_first_frame_what_to_leave_out(rate: int) -> None:
    data = compressed(chirp(rate, 0.5), rate, "mp3")
    assert data[0] == 0xFF
    first = data[: data.index(b"LAME") + 40]
    assert b"Xing" in first
    assert int.from_bytes(first[first.index(b"LAME") + 21 :][:3], "big") >> 12 > 0  # samples of delay


@pytest.mark.parametrize("rate", [8_000, 12_000, 16_000, 24_000, 48_000])
def test_opus_stays_near_its_bit_rate(rate: int) -> None:
    noise = np.random.default_rng(1).normal(0, 3_000, rate * 5).astype(np.int16)
    assert 24_000 < 8 * len(compressed(noise, rate, "opus")) / 5 < 48_000


def test_of_opus_only_the_serial_is_drawn_by_lot() -> None:
    samples = chirp(16_000, 1.0)
    files = [compressed(samples, 16_000, "opus") for _ in range(3)]
    assert len(set(files)) == 3
    assert len({with_serial(data, 5) for data in files}) == 1


@pytest.mark.parametrize("format", ["flac", "mp3", "opus"])
def test_no_samples_are_no_file(format: str) -> None:
    with pytest.raises(RequestFailed, match=f"empty, which {format} cannot hold") as raised:
        compressed(np.zeros(0, np.int16), 8_000, format)
    assert raised.value.code == "speech_rejected"


def test_the_library_says_its_versions() -> None:
    assert library().startswith("soundfile ")
    assert "libsndfile " in library()
