from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import wave

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import RequestFailed
from streamer.store.encoding import encode, formats


def tone(rate: int, seconds: float = 0.5, frequency: float = 440.0, peak: float = 12_000.0) -> NDArray[np.int16]:
    times = np.arange(round(rate * seconds)) / rate
    return np.rint(peak * np.sin(2 * np.pi * frequency * times)).astype(np.int16)


def decoded(data: bytes) -> tuple[NDArray[np.int16], int]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getcomptype()) == (1, 2, "NONE")
        pcm = file.readframes(file.getnframes())
        assert len(pcm) == 2 * file.getnframes()
        return np.frombuffer(pcm, "<i2"), file.getframerate()


def test_samples_come_back_as_they_were() -> None:
    samples = np.array([0, 1, -1, 32767, -32768, 300], np.int16)
    encoded = encode(samples, 24_000, "wav", 24_000)
    back, rate = decoded(encoded.data)
    assert rate == 24_000
    np.testing.assert_array_equal(back, samples)


def test_what_it_says_of_itself_is_so() -> None:
    samples = tone(24_000)
    encoded = encode(samples, 24_000, "wav", 24_000)
    assert encoded.sha256 == hashlib.sha256(encoded.data).hexdigest()
    assert encoded.pcm_sha256 == hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    assert (encoded.format, encoded.extension, encoded.sample_rate) == ("wav", "wav", 24_000)
    assert encoded.frames == len(samples)
    assert encoded.duration == 0.5


@pytest.mark.parametrize("target", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("source", [8_000, 22_050, 24_000, 48_000])
def test_resampling_keeps_pitch_and_length(source: int, target: int) -> None:
    encoded = encode(tone(source), source, "wav", target)
    samples, rate = decoded(encoded.data)
    assert rate == target == encoded.sample_rate
    assert len(samples) == encoded.frames
    assert abs(encoded.duration - 0.5) <= 2 / target
    expected = tone(target)[: len(samples)].astype(np.float64)
    middle = slice(len(samples) // 4, 3 * len(samples) // 4)
    error = np.abs(samples[: len(expected)][middle] - expected[middle])
    assert error.max() < 60  # of 12,000: a wrong pitch, delay or gain would be thousands


def test_resampling_clips_instead_of_wrapping() -> None:
    square = np.where(np.arange(2205) // 50 % 2, 32767, -32768).astype(np.int16)
    samples, _ = decoded(encode(square, 22_050, "wav", 24_000).data)
    places = np.arange(len(samples)) * 22_050 / 24_000
    inner = (places % 50 > 5) & (places % 50 < 45)
    # The overshoot at each edge is beyond int16; samples that wrapped would have the other sign.
    assert (np.sign(samples[inner]) == np.sign(square[places.astype(int)][inner])).all()
    assert np.max(samples) == 32767
    assert np.min(samples) == -32768


def test_silence_stays_silence() -> None:
    samples, _ = decoded(encode(np.zeros(22_050, np.int16), 22_050, "wav", 24_000).data)
    assert not samples.any()


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
@pytest.mark.parametrize("target", [8_000, 24_000, 48_000])
def test_hardly_any_samples(frames: int, target: int) -> None:
    encoded = encode(np.full(frames, 9, np.int16), 24_000, "wav", target)
    samples, _ = decoded(encoded.data)
    assert len(samples) == encoded.frames
    assert abs(encoded.frames - frames * target / 24_000) <= 1


@pytest.mark.parametrize("target", [8_000, 24_000])
def test_the_same_bytes_at_each_writing(target: int) -> None:
    program = (
        "import numpy as np; from streamer.store.encoding import encode;"
        "t = np.arange(11025) / 22050; s = np.rint(9000 * np.sin(2764.6 * t)).astype(np.int16);"
        f"print(encode(s, 22050, 'wav', {target}).sha256)"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    times = np.arange(11_025) / 22_050
    samples = np.rint(9000 * np.sin(2764.6 * times)).astype(np.int16)
    here = {encode(samples, 22_050, "wav", target).sha256 for _ in range(3)}
    assert {run.strip() for run in runs} == here
    assert len(here) == 1


def test_samples_that_are_a_view_or_of_the_other_byte_order() -> None:
    samples = tone(24_000)
    plain = encode(samples[::2].copy(), 24_000, "wav", 24_000)
    assert encode(samples[::2], 24_000, "wav", 24_000) == plain
    assert encode(samples[::2].astype(">i2"), 24_000, "wav", 24_000) == plain


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(RequestFailed, match=r"format is 'mp3'.*wav") as raised:
        encode(tone(24_000), 24_000, "mp3", 24_000)
    assert raised.value.code == "invalid_request"
    assert formats() == ("wav",)
