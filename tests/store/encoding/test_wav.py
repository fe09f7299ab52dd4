from __future__ import annotations

import struct

import numpy as np
import pytest

from streamer.errors import RequestFailed
from streamer.store.encoding import encode
from streamer.store.encoding.wav import Tag, header, padding
from tests.store.encoding.sounds import every_sample, read


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Of a RIFF file, which has to end where it says."""
    riff, size, kind = struct.unpack_from("<4sI4s", data)
    assert (riff, size, kind) == (b"RIFF", len(data) - 8, b"WAVE")
    found, place = {}, 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        found[name] = data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data)
    return found


@pytest.mark.parametrize(("format", "tag", "width"), [("wav", 1, 2), ("wav_alaw", 6, 1), ("wav_ulaw", 7, 1)])
@pytest.mark.parametrize("frames", [0, 1, 2, 801])
def test_the_chunks_say_what_is_in_them(format: str, tag: int, width: int, frames: int) -> None:
    found = chunks(encode(np.full(frames, 99, np.int16), 8_000, format, 8_000).data)
    assert struct.unpack_from("<HHIIHH", found[b"fmt "]) == (tag, 1, 8_000, 8_000 * width, width, 8 * width)
    assert len(found[b"data"]) == frames * width
    if tag == 1:
        assert list(found) == [b"fmt ", b"data"]
        assert len(found[b"fmt "]) == 16
    else:
        assert list(found) == [b"fmt ", b"fact", b"data"]
        assert found[b"fmt "][16:] == b"\0\0"
        assert struct.unpack("<I", found[b"fact"]) == (frames,)


@pytest.mark.parametrize(("container", "headerless"), [("wav", "pcm"), ("wav_alaw", "alaw"), ("wav_ulaw", "ulaw")])
def test_a_container_holds_what_the_headerless_format_is(container: str, headerless: str) -> None:
    samples = every_sample()[::7]
    bare = encode(samples, 8_000, headerless, 8_000)
    wrapped = encode(samples, 8_000, container, 8_000)
    assert chunks(wrapped.data)[b"data"] == bare.data
    assert wrapped.pcm_sha256 == bare.pcm_sha256


@pytest.mark.parametrize("format", ["wav_alaw", "wav_ulaw"])
def test_libsndfile_reads_it(format: str) -> None:
    samples = every_sample()[::101]
    back, rate = read(encode(samples, 16_000, format, 16_000).data)
    assert rate == 16_000
    assert len(back) == len(samples)
    assert np.abs(back.astype(np.int32) - samples).max() <= 1_024  # half of the largest step


@pytest.mark.parametrize(("tag", "most"), [(Tag.PCM, (2**32 - 1 - 36) // 2), (Tag.ALAW, 2**32 - 2 - 50)])
def test_beyond_four_gibibytes_there_is_no_wav(tag: Tag, most: int) -> None:
    whole = struct.unpack_from("<4sI", header(tag, 48_000, most))[1]
    assert 2**32 - 4 <= whole <= 2**32 - 1
    with pytest.raises(RequestFailed, match=r"format: .*4 GiB.*flac") as raised:
        header(tag, 48_000, most + 1)
    assert raised.value.code == "invalid_request"


def test_an_odd_chunk_is_padded() -> None:
    assert [padding(size) for size in (0, 1, 2, 3)] == [b"", b"\0", b"", b"\0"]
