from __future__ import annotations

import io

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.voice.mp3 import count
from tests.engines.glm.voice.sounds import voiced

RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]


def mp3(seconds: float, rate: int, channels: int, mode: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, voiced(seconds, rate, channels), rate, format="MP3", bitrate_mode=mode)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_frames_are_counted(rate: int, channels: int, mode: str) -> None:
    counted = count(mp3(1.5, rate, channels, mode), 10.0)
    assert counted.samples - counted.slack <= 1.5 * rate <= counted.samples


def test_tags_are_no_frames() -> None:
    sound = mp3(1.5, 16_000, 1, "CONSTANT")
    picture = bytes(range(256)) * 40 + b"\xff\xfb\x90\x00" * 100
    size = len(picture)
    before = b"ID3\x04\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + picture
    after = b"TAG" + b" " * 125
    assert count(before + sound + after, 10.0) == count(sound, 10.0)


def test_counted_no_further_than_needed() -> None:
    sound = mp3(1.5, 16_000, 1, "CONSTANT")
    assert count(sound * 1000, 2.0).samples < 2.5 * 16_000


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"ID3\x04\x00\x10\x00\x00\x00\x05", b"\xff\xfb\x90\x00", b"\xff" * 99]),
)
def test_anything_has_a_count(rest: bytes, start: bytes) -> None:
    assert count(start + rest, 10.0).samples >= 0
