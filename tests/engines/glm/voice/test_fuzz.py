"""Spoiled files of every kind get an error or are a prompt: nothing else leaves `decode`."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engines.glm.voice.sound import HIGHEST_RATE, LONGEST, LOWEST_RATE, SHORTEST, decode
from streamer.errors import VoiceUnusable
from tests.engines.glm.voice.sounds import KINDS, file, voiced


@cache
def whole(kind: str, channels: int) -> bytes:
    return file(voiced(3.1, 8_000, channels), 8_000, kind)


def answered(sound: bytes) -> None:
    try:
        heard = decode(sound)
    except VoiceUnusable as error:
        assert 20 < len(str(error)) < 400
        return
    assert heard.channels.shape[0] in (1, 2)
    assert LOWEST_RATE <= heard.rate <= HIGHEST_RATE
    assert SHORTEST <= heard.seconds <= LONGEST
    assert np.isfinite(heard.channels).all()


@st.composite
def spoiled(draw: st.DrawFn, kind: str) -> bytes:
    """A file with bytes changed, taken out, put in or cut off, mostly in its header."""
    sound = bytearray(whole(kind, draw(st.sampled_from([1, 2]))))
    for _ in range(draw(st.integers(1, 4))):
        near = draw(st.sampled_from([64, 512, len(sound)]))
        place = draw(st.integers(0, max(0, min(near, len(sound)) - 1)))
        how = draw(st.sampled_from(["change", "extreme", "remove", "insert", "cut"]))
        if how == "change":
            sound[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "extreme":
            size = draw(st.sampled_from([1, 2, 4, 8]))
            sound[place : place + size] = draw(st.sampled_from([b"\x00", b"\x7f", b"\x80", b"\xff"])) * size
        elif how == "remove":
            del sound[place : place + draw(st.integers(1, 1_000))]
        elif how == "insert":
            sound[place:place] = draw(st.binary(min_size=1, max_size=50))
        else:
            del sound[place:]
    return bytes(sound)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_spoiled_files(kind: str, data: st.DataObject) -> None:
    answered(data.draw(spoiled(kind)))


@settings(max_examples=100)
@given(
    magic=st.sampled_from(
        [b"", b"RIFF\x00\x01\x00\x00WAVEfmt ", b"fLaC\x00\x00\x00\x22", b"OggS\x00\x02", b"\xff\xfb"]
    ),
    rest=st.binary(max_size=2_000),
)
def test_random_bytes(magic: bytes, rest: bytes) -> None:
    answered(magic + rest)
