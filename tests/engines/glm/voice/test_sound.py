"""What is taken for a prompt's sound, and what is said of the rest."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from functools import cache

import numpy as np
import pytest
import soundfile

from streamer.engines.glm.voice.sound import LARGEST, LONGEST, decode
from streamer.errors import VoiceUnusable
from tests.engines.glm.voice.sounds import KINDS, file, voiced, written


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file(kind: str, channels: int, rate: int) -> None:
    samples = voiced(3.5, rate, channels)
    sound = decode(file(samples, rate, kind))
    assert (sound.rate, sound.channels.shape, str(sound.channels.dtype)) == (rate, samples.T.shape, "float32")
    assert sound.seconds == 3.5
    error = np.sqrt(np.mean((sound.channels - samples.T) ** 2))
    assert error < (1e-4 if kind.startswith(("wav", "flac")) else 0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_345, 22_050, 44_056, 96_000, 192_000])
def test_every_rate(rate: int) -> None:
    assert decode(file(voiced(3.0, rate), rate)).rate == rate


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_32", "DOUBLE", "ULAW", "ALAW"])
def test_other_kinds_of_samples(subtype: str) -> None:
    samples = voiced(3.0, 8_000)
    np.testing.assert_allclose(decode(written(samples, 8_000, "WAV", subtype)).first, samples[:, 0], atol=0.03)


def test_channels_apart_and_together() -> None:
    sound = decode(file(voiced(3.0, 8_000, 2), 8_000, "wav float"))
    np.testing.assert_array_equal(sound.first, sound.channels[0])
    np.testing.assert_allclose(sound.mean, (sound.channels[0] + sound.channels[1]) / 2, atol=1e-7)


@pytest.mark.parametrize("seconds", [3.0, 10.0])
def test_the_bounds_themselves_are_taken(seconds: float) -> None:
    assert decode(file(voiced(seconds, 8_000), 8_000)).seconds == seconds


@pytest.mark.parametrize(
    ("seconds", "said"), [(2.99, r"2\.99 s long, 3 to 10 s are needed"), (10.01, r"10\.01 s long, at most 10 s")]
)
@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg vorbis"])
def test_too_short_and_too_long(kind: str, seconds: float, said: str) -> None:
    with pytest.raises(VoiceUnusable, match=said):
        decode(file(voiced(seconds, 8_000), 8_000, kind))


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros((32_000, 1)), "silent: the first channel has a peak of 0"),
        (np.full((32_000, 1), 0.3), "silent: the first channel"),  # a constant is no sound
        (voiced(4.0, 8_000) * 0.0005, "silent"),
        (voiced(4.0, 8_000, 2) * [0, 1], "silent: the first channel"),
        (voiced(4.0, 8_000) * [[1, -1]], "silent: the mean of its channels"),
        (np.zeros((0, 1)), "has no samples"),
        (voiced(4.0, 8_000) * 32_767, "a peak of .*, full scale is 1"),
        (voiced(4.0, 8_000, 8), "8 channels, 1 or 2 are taken"),
        (voiced(4.0, 8_000, 3), "3 channels, 1 or 2 are taken"),
    ],
)
def test_no_voice_in_it(samples: np.ndarray, said: str) -> None:
    with pytest.raises(VoiceUnusable, match=said):
        decode(file(np.asarray(samples, np.float32), 8_000, "wav float"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (31_999, 1)])
def test_no_numbers(value: float, place: tuple[int, int]) -> None:
    samples = voiced(4.0, 8_000, 2)
    samples[place] = value
    with pytest.raises(VoiceUnusable, match="no numbers"):
        decode(file(samples, 8_000, "wav float"))


@pytest.mark.parametrize("rate", [1, 7_999, 192_001, 2**31 - 1])
def test_absurd_rates(rate: int) -> None:
    with pytest.raises(VoiceUnusable, match=r"samples a second, 8,000 to 192,000 are taken"):
        decode(file(voiced(4.0, 8_000), rate))


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (b"", "is empty"),
        (b"RIFF", "begins with b'RIFF'"),
        (b"<html>no such file</html>", "begins with b'<html>no suc'"),
        (b"\x7fELF" + bytes(500), "begins with"),
        (b"RIFF\x24\x00\x00\x00WAVE", "cannot be decoded"),
        (b"fLaC", "cannot be decoded"),
        (b"OggS" + bytes(60), "cannot be decoded"),
        (b"ID3\x04" + bytes(60), "cannot be decoded"),
        (b"\xff\xfb" + bytes(4_000), "cannot be decoded"),
        (written(voiced(4.0, 8_000), 8_000, "AIFF", "PCM_16"), "as no WAV, FLAC, MP3 or OGG file does"),
        (written(voiced(4.0, 8_000), 8_000, "WAV", "IMA_ADPCM"), "WAV with IMA_ADPCM; save it as"),
        (bytes(LARGEST + 1), "16,777,217 bytes, at most 16,777,216"),
    ],
)
def test_no_such_file(sound: bytes, said: str) -> None:
    with pytest.raises(VoiceUnusable, match=said):
        decode(sound)


@pytest.mark.parametrize("kind", ["wav", "ogg vorbis", "mp3"])
def test_of_a_cut_file_the_rest_is_taken(kind: str) -> None:
    """A WAV file's length is stated, but wrong in all that were piped."""
    whole = file(voiced(8.0, 8_000), 8_000, kind)
    assert 3.0 < decode(whole[: len(whole) * 3 // 4]).seconds < 7.0


def test_a_cut_file_that_states_its_length() -> None:
    whole = file(voiced(8.0, 8_000), 8_000, "flac")
    with pytest.raises(VoiceUnusable, match=r"s only, of 8\.00 s: it was cut off|cannot be decoded"):
        decode(whole[: len(whole) * 3 // 4])


@cache
def an_hour_of_flac() -> bytes:
    """Of nothing: some kilobytes."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", samplerate=8_000, channels=1, format="FLAC", subtype="PCM_16") as out:
        piece = np.zeros((800_000, 1), np.float32)
        for _ in range(36):
            out.write(piece)
    return buffer.getvalue()


@pytest.mark.parametrize("lie", [0, 5 * 8_000, 3_600 * 8_000])
def test_an_hour_that_its_header_tells_or_hides(lie: int) -> None:
    """Some kilobytes of FLAC, which states its number of samples in 36 bits, 0 for a stream of unknown length."""
    sound = bytearray(an_hour_of_flac())
    assert int.from_bytes(sound[21:26], "big") & (2**36 - 1) == 3_600 * 8_000
    sound[21:26] = (sound[21] >> 4 << 36 | lie).to_bytes(5, "big")
    tracemalloc.start()
    with pytest.raises(VoiceUnusable, match=r"at most 10 s are taken|silent"):
        decode(bytes(sound))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(sound) + 4 * 4 * LONGEST * 8_000


@pytest.mark.parametrize("stated", [True, False])
def test_an_hour_of_mp3(stated: bool) -> None:
    first, frames = mp3_frames(10.0)
    with pytest.raises(VoiceUnusable, match=r"10\.\d\d s long, at most 10 s are taken"):  # counted no further
        decode((first if stated else b"") + frames * 360)


def mp3_frames(seconds: float) -> tuple[bytes, bytes]:
    """The frame that states the length, and the ones that it states."""
    whole = file(voiced(seconds, 8_000), 8_000, "mp3")
    second = whole.index(whole[:2], 4)
    return whole[:second], whole[second:]


def test_an_mp3_of_which_the_decoder_would_pass_over_the_end() -> None:
    """Its first frame is large, from which libsndfile takes it to be short."""
    with pytest.raises(VoiceUnusable, match=r"decoded for 4\.\d\d s only, of 8\.\d\d s"):
        decode(mp3_frames(9.0)[1])


def test_a_flac_stream_of_unknown_length() -> None:
    sound = bytearray(file(voiced(4.0, 8_000), 8_000, "flac"))
    known = decode(bytes(sound))
    sound[21:26] = (sound[21] >> 4 << 36).to_bytes(5, "big")
    np.testing.assert_array_equal(decode(bytes(sound)).channels, known.channels)


@pytest.mark.parametrize("kind", ["ogg vorbis", "ogg opus", "mp3"])
def test_one_file_after_another(kind: str) -> None:
    """What joins them knows no change of channels: it is decoded as one of them, or refused."""
    one = file(voiced(3.5, 8_000), 8_000, kind)
    two = file(voiced(3.5, 48_000, 2), 48_000, kind)
    for sound in (one + two, two + one):
        with contextlib.suppress(VoiceUnusable):
            assert decode(sound).channels.shape[0] in (1, 2)
