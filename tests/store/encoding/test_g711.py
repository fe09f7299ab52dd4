from __future__ import annotations

import importlib.util
import io
import warnings

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from streamer.store.encoding.g711 import alaw, ulaw
from tests.store.encoding.sounds import Samples, every_sample

LAWS = {"ALAW": alaw, "ULAW": ulaw}


def theirs(law: str, samples: Samples) -> NDArray[np.uint8]:
    file = io.BytesIO()
    soundfile.write(file, samples, 8_000, format="RAW", subtype=law)
    return np.frombuffer(file.getvalue(), np.uint8)


def expanded(law: str, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    samples, _ = soundfile.read(
        io.BytesIO(codes.tobytes()), format="RAW", subtype=law, samplerate=8_000, channels=1, dtype="int16"
    )
    return np.asarray(samples, np.int32)


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_has_the_code_that_libsndfile_gives_it(law: str) -> None:
    samples = every_sample()
    np.testing.assert_array_equal(LAWS[law](samples), theirs(law, samples))


@pytest.mark.skipif(importlib.util.find_spec("audioop") is None, reason="Python 3.13 has no audioop")
def test_a_law_is_audioops_but_where_a_negative_sample_is_a_decision_value() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    samples = every_sample()
    other = np.frombuffer(audioop.lin2alaw(samples.tobytes(), 2), np.uint8)
    differ = alaw(samples) != other
    # audioop, like ITU-T's G.191, gives these to the smaller neighbour; there they are as near to one as to the other,
    # or stand between two step sizes.
    assert np.count_nonzero(differ) == 127
    assert (samples[differ] < 0).all()
    assert (samples[differ] % 16 == 0).all()
    np.testing.assert_array_equal(alaw(samples[differ] + np.int16(1)), other[differ])


@pytest.mark.parametrize(
    ("law", "samples", "codes"),
    [
        # The ends of G.711's tables 1 and 2: both zeros, the smallest and the largest.
        ("ALAW", [0, -1, 32767, -32768], [0xD5, 0x55, 0xAA, 0x2A]),
        ("ULAW", [0, -1, 32767, -32768], [0xFF, 0x7F, 0x80, 0x00]),
    ],
)
def test_the_ends_of_the_tables(law: str, samples: list[int], codes: list[int]) -> None:
    assert LAWS[law](np.array(samples, np.int16)).tolist() == codes


@pytest.mark.parametrize("law", LAWS)
def test_a_code_is_never_further_off_than_half_its_step(law: str) -> None:
    samples = every_sample()
    codes = LAWS[law](samples)
    back = expanded(law, codes)
    for code in range(256):
        own = samples[codes == code].astype(np.int32)
        if len(own):
            reach = np.abs(own - back[codes == code]).max()
            # The outermost mu-law code also takes what is clipped, 32,636 to 32,768.
            clipped = 132 if law == "ULAW" and code in (0x00, 0x80) else 0
            assert reach <= (np.ptp(own) + 1) / 2 + clipped + 4


@pytest.mark.parametrize("law", LAWS)
def test_louder_never_becomes_softer(law: str) -> None:
    back = expanded(law, LAWS[law](every_sample()))
    assert (np.diff(back) >= 0).all()


@pytest.mark.parametrize("law", LAWS)
def test_no_samples_and_a_single_one(law: str) -> None:
    assert LAWS[law](np.zeros(0, np.int16)).tobytes() == b""
    assert len(LAWS[law](np.zeros(1, np.int16)).tobytes()) == 1
