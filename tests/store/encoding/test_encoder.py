from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import RequestFailed
from streamer.formats import FORMATS, default_rate
from streamer.store.encoding import encode, formats, version
from tests.store.encoding.sounds import Samples, chirp, delay, difference, read, tone

LOSSY = ("mp3", "opus")
COMPRESSED = ("flac", *LOSSY)


def decoded(data: bytes) -> tuple[NDArray[np.int16], int]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getcomptype()) == (1, 2, "NONE")
        pcm = file.readframes(file.getnframes())
        assert len(pcm) == 2 * file.getnframes()
        return np.frombuffer(pcm, "<i2"), file.getframerate()


def fingerprints(samples: Samples) -> dict[str, str]:
    """Of each format's file at its own rate."""
    return {format: encode(samples, 22_050, format, default_rate(format, 24_000)).sha256 for format in formats()}


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


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
@pytest.mark.parametrize("target", [8_000, 24_000, 48_000])
def test_hardly_any_samples(frames: int, target: int) -> None:
    encoded = encode(np.full(frames, 9, np.int16), 24_000, "wav", target)
    samples, _ = decoded(encoded.data)
    assert len(samples) == encoded.frames
    assert abs(encoded.frames - frames * target / 24_000) <= 1


def test_samples_that_are_a_view_or_of_the_other_byte_order() -> None:
    samples = tone(24_000)
    plain = encode(samples[::2].copy(), 24_000, "wav", 24_000)
    assert encode(samples[::2], 24_000, "wav", 24_000) == plain
    assert encode(samples[::2].astype(">i2"), 24_000, "wav", 24_000) == plain


@pytest.mark.parametrize("format", [*COMPRESSED, "wav", "wav_alaw", "wav_ulaw"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_any_reader_finds_rate_length_and_sound(format: str, rate: int) -> None:
    samples = chirp(rate, 1.0)
    encoded = encode(samples, rate, format, rate)
    back, told = read(encoded.data)
    assert told == rate
    assert len(back) == encoded.frames == len(samples)
    assert encoded.extension == FORMATS[format].extension
    if format in ("wav", "flac"):
        np.testing.assert_array_equal(back, samples)
    else:
        # What the encoder put before, the reader took away; Opus comes back 42 us early above 16 kHz.
        assert abs(delay(samples, back, rate // 20)) <= (rate // 20_000 if format == "opus" else 0)
        assert difference(samples, back, rate) < -20


@pytest.mark.parametrize("format", LOSSY)
@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("frames", [1, 2, 3, 159, 160, 575, 577, 1_153, 2_401])
def test_no_length_is_padded_or_cut_on_decoding(format: str, rate: int, frames: int) -> None:
    encoded = encode(chirp(rate, 1.0)[:frames], rate, format, rate)
    assert encoded.frames == frames
    assert len(read(encoded.data)[0]) == frames


def test_headerless_pcm_is_the_samples() -> None:
    samples = chirp(8_000, 0.3)
    encoded = encode(samples, 8_000, "pcm", 8_000)
    assert encoded.data == samples.astype("<i2").tobytes()
    assert encoded.sha256 == encoded.pcm_sha256
    assert encoded.extension == "raw"


def test_all_formats_say_the_same_of_the_samples() -> None:
    samples = chirp(22_050, 0.7)
    whole = {
        (one.pcm_sha256, one.frames, one.duration)
        for one in (encode(samples, 22_050, format, 8_000) for format in formats())
    }
    assert len(whole) == 1


def test_the_same_bytes_at_each_writing() -> None:
    samples = chirp(22_050, 1.5)
    here = fingerprints(samples)
    assert all(fingerprints(samples) == here for _ in range(3))
    program = (
        "import json; from tests.store.encoding.test_encoder import fingerprints, chirp;"
        "print(json.dumps(fingerprints(chirp(22_050, 1.5))))"
    )
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert json.loads(run.stdout) == here


def test_the_same_bytes_from_many_threads_at_once() -> None:
    sounds = [chirp(22_050, 0.2 + 0.1 * number) for number in range(8)]
    alone = [fingerprints(samples) for samples in sounds]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fingerprints, sounds * 3)) == alone * 3


def test_other_samples_make_another_stream() -> None:
    one, other = (encode(tone(8_000, frequency=frequency), 8_000, "opus", 8_000).data for frequency in (440, 550))
    assert one[14:18] != other[14:18]  # RFC 3533: streams that are put together need their own serial numbers


@pytest.mark.parametrize("format", formats())
def test_ten_minutes(format: str) -> None:
    samples = np.tile(chirp(8_000, 60.0), 10)
    encoded = encode(samples, 8_000, format, 8_000)
    assert encoded.duration == 600
    if format in (*COMPRESSED, "wav"):
        assert len(read(encoded.data)[0]) == len(samples)


@pytest.mark.parametrize("format", formats())
def test_no_samples_at_all(format: str) -> None:
    nothing = np.zeros(0, np.int16)
    if format in COMPRESSED:
        with pytest.raises(RequestFailed, match=f"empty, which {format} cannot hold") as raised:
            encode(nothing, 24_000, format, 8_000)
        assert raised.value.code == "speech_rejected"
    else:
        encoded = encode(nothing, 24_000, format, 8_000)
        assert (encoded.frames, encoded.duration) == (0, 0.0)


@pytest.mark.parametrize("format", formats())
@pytest.mark.parametrize("rate", [7_999, 8_000, 11_025, 12_000, 22_050, 24_000, 40_000, 44_100, 48_000, 48_001])
def test_what_is_said_to_be_written_is_and_what_is_not_is_refused(format: str, rate: int) -> None:
    samples = tone(24_000, 0.1)
    if FORMATS[format].takes(rate):
        assert encode(samples, 24_000, format, rate).sample_rate == rate
        return
    with pytest.raises(RequestFailed, match=rf"sample_rate: is {rate}, and format {format} is written at ") as raised:
        encode(samples, 24_000, format, rate)
    assert raised.value.code == "invalid_request"


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(RequestFailed, match=r"format is 'mp9'.*wav.*opus") as raised:
        encode(tone(24_000), 24_000, "mp9", 24_000)
    assert raised.value.code == "invalid_request"


def test_the_version_names_what_may_change_a_byte() -> None:
    for part in ("encoding 1", "soundfile ", "libsndfile ", "soxr "):
        assert part in version()
