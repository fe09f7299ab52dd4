"""Pieces made one sound: how many samples, which, and what becomes of pieces shorter than their fade."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.engines.glm.joining import Joining, Wave
from streamer.errors import EngineError

RATE = 1000
curves = st.sampled_from(["linear", "power"])


def waves(lengths: list[int], level: float = 0.5) -> list[Wave]:
    return [np.full(length, level, np.float32) for length in lengths]


def expected_length(lengths: list[int], pause: int, fade: int) -> int:
    spoken = [length for length in lengths if length]
    if pause:
        return sum(spoken) + pause * max(0, len(spoken) - 1)
    return sum(spoken) - sum(min(fade, a // 2, b // 2) for a, b in pairwise(spoken))


def test_by_default_pieces_follow_each_other_directly() -> None:
    joined = Joining(sample_rate=24_000).join([np.array([0.1, -0.2], np.float32), np.array([1.0], np.float32)])
    assert joined.dtype == np.int16
    assert joined.tolist() == [3277, -6553, 32767]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [(0.0, 0), (1.0, 32767), (-1.0, -32767), (1.5, 32767), (-9.0, -32767), (0.5 / 32767, 0), (1.5 / 32767, 2)],
)
def test_samples_are_clipped_and_rounded(sample: float, expected: int) -> None:
    assert Joining(sample_rate=RATE).join([np.array([sample], np.float32)]).tolist() == [expected]


@given(
    lengths=st.lists(st.integers(0, 40), max_size=6),
    pause=st.sampled_from([0, 1, 7]),
    fade=st.sampled_from([0, 1, 2, 5, 30]),
    curve=curves,
)
def test_the_length_is_the_documented_one(
    lengths: list[int], pause: int, fade: int, curve: Literal["linear", "power"]
) -> None:
    joining = Joining(sample_rate=RATE, pause=pause / RATE, cross_fade=fade / RATE, curve=curve)
    joined = joining.join(waves(lengths))
    assert len(joined) == expected_length(lengths, pause, fade)
    assert joined.tobytes() == joining.join(waves(lengths)).tobytes()


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), fade=st.integers(0, 50))
def test_a_linear_fade_between_equals_is_not_heard(lengths: list[int], fade: int) -> None:
    joined = Joining(sample_rate=RATE, cross_fade=fade / RATE).join(waves(lengths))
    assert np.ptp(joined) <= 1


@given(pieces=st.lists(st.integers(1, 40), min_size=2, max_size=5), fade=st.integers(1, 50))
def test_only_the_fades_are_changed(pieces: list[int], fade: int) -> None:
    """Outside them every sample is its piece's."""
    sounds: list[Wave] = [np.linspace(0, 0.9, length, dtype=np.float32) for length in pieces]
    joined = Joining(sample_rate=RATE, cross_fade=fade / RATE).join(sounds)
    begin, before = 0, 0
    for index, sound in enumerate(sounds):
        after = min(fade, len(sound) // 2, pieces[index + 1] // 2) if index + 1 < len(pieces) else 0
        middle = Joining(sample_rate=RATE).join([sound[before : len(sound) - after]])
        assert joined[begin + before : begin + len(sound) - after].tolist() == middle.tolist()
        begin, before = begin + len(sound) - after, after


def test_a_fade_by_power_keeps_the_power() -> None:
    up = Joining(sample_rate=RATE, cross_fade=0.01, curve="power").join(
        [np.zeros(20, np.float32), np.ones(20, np.float32)]
    )
    down = Joining(sample_rate=RATE, cross_fade=0.01, curve="power").join(
        [np.ones(20, np.float32), np.zeros(20, np.float32)]
    )
    power = (up.astype(float) ** 2 + down.astype(float) ** 2) / 32767**2
    np.testing.assert_allclose(power, 1.0, atol=1e-4)


def test_a_pause_is_silence_that_pieces_fade_into() -> None:
    sounds = waves([4, 3, 5], level=1.0)
    plain = Joining(sample_rate=RATE, pause=0.002).join(sounds)
    assert (plain != 0).astype(int).tolist() == [1] * 4 + [0] * 2 + [1] * 3 + [0] * 2 + [1] * 5
    faded = Joining(sample_rate=RATE, pause=0.002, cross_fade=0.002).join(sounds)
    assert len(faded) == len(plain)
    # Half of the piece of three samples is one: its fades are no longer, nor are those into it.
    half = round(32767 / 2)
    full = 32767
    assert faded.tolist() == [full] * 3 + [half, 0, 0, half, full, half, 0, 0, half] + [full] * 4


def test_empty_pieces_bring_no_pause() -> None:
    joining = Joining(sample_rate=RATE, pause=0.003)
    assert len(joining.join(waves([0, 5, 0, 0, 5, 0]))) == 13
    assert joining.join(waves([0])).tolist() == joining.join([]).tolist() == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_an_error(bad: float) -> None:
    sounds: list[NDArray[np.float32]] = waves([3, 3])
    sounds[1][2] = bad
    with pytest.raises(EngineError, match="piece 1"):
        Joining(sample_rate=RATE).join(sounds)


def test_it_needs_no_torch() -> None:
    code = "import sys, streamer.engines.glm.joining; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
