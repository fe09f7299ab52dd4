from __future__ import annotations

from typing import get_args

import pytest

from streamer.errors import RequestFailed
from streamer.formats import FORMATS, FormatName, default_rate, known, media_type, refusal


def test_the_settings_know_all_formats() -> None:
    assert set(get_args(FormatName)) == set(FORMATS)


@pytest.mark.parametrize("format", ["pcm", "alaw", "ulaw", "wav_alaw", "wav_ulaw"])
@pytest.mark.parametrize("configured", [8_000, 24_000, 44_100])
def test_telephony_has_the_telephones_rate(format: str, configured: int) -> None:
    assert default_rate(format, configured) == 8_000


@pytest.mark.parametrize(
    ("format", "configured", "expected"),
    [
        ("wav", 9_001, 9_001),
        ("flac", 44_100, 44_100),
        ("mp3", 24_000, 24_000),
        ("mp3", 24_001, 32_000),
        ("opus", 22_050, 24_000),
        ("opus", 44_100, 48_000),
    ],
)
def test_others_have_the_configured_rate_or_the_next_they_take(format: str, configured: int, expected: int) -> None:
    assert default_rate(format, configured) == expected


def test_a_default_rate_is_always_one_that_is_written() -> None:
    for configured in range(8_000, 48_001, 25):
        for format in FORMATS:
            assert refusal(format, default_rate(format, configured)) is None


@pytest.mark.parametrize(
    ("format", "rate", "allowed"),
    [
        ("opus", 44_100, "8000, 12000, 16000, 24000, 48000"),
        ("mp3", 9_000, "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000"),
        ("wav", 48_001, "8000 to 48000"),
        ("alaw", 7_999, "8000 to 48000"),
    ],
)
def test_a_refusal_names_the_format_the_rate_and_what_is_allowed(format: str, rate: int, allowed: str) -> None:
    message = refusal(format, rate)
    assert message is not None
    assert str(rate) in message
    assert f"format {format} is written at {allowed} a second" in message


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    for call in (lambda: known("mp9"), lambda: default_rate("mp9", 8_000), lambda: refusal("mp9", 8_000)):
        with pytest.raises(RequestFailed, match=r"format is 'mp9'.*wav, flac.*wav_ulaw") as raised:
            call()
        assert raised.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("wav", "audio/wav"),
        ("flac", "audio/flac"),
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg; codecs=opus"),
        ("raw", "application/octet-stream"),
        ("alaw", "audio/PCMA"),
        ("ulaw", "audio/PCMU"),
        ("json", "application/octet-stream"),
    ],
)
def test_a_file_has_the_media_type_of_its_extension(extension: str, expected: str) -> None:
    assert media_type(extension) == expected


def test_formats_that_share_an_extension_share_a_media_type() -> None:
    assert all(media_type(format.extension) == format.media_type for format in FORMATS.values())
