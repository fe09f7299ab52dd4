"""Philox4x32-10 by its known answers, and the numbers made of it."""

from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.philox import Stream, philox

_MOST = 0xFFFFFFFF
_PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
_KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((_MOST,) * 4, (_MOST,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (*_PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]
"""Random123's kat_vectors: counter, key, words."""


@pytest.mark.parametrize(("counter", "key", "words"), _KNOWN)
def test_known_answers(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    whole = key[1] << 32 | key[0]
    assert philox(whole, counter) == words
    zero, one, two, three = (torch.tensor([5, word]) for word in counter)
    assert [int(torch.as_tensor(word)[1]) for word in philox(whole, (zero, one, two, three))] == list(words)


def test_a_stream_is_the_generator_at_successive_counters() -> None:
    """Over the edges of the chunks that it is computed in, too."""
    numbers = Stream(0xA409_3822_299F_31D0, 3, 7).uniforms(40_000)
    for step in (0, 1, 16_383, 16_384, 39_999):
        words = [int(torch.as_tensor(word)) for word in philox(0xA409_3822_299F_31D0, (step, 0, 3, 7))]
        for column in range(2):
            high, low = words[2 * column], words[2 * column + 1]
            assert numbers[step, column] == ((high >> 5 << 26) + (low >> 6)) / 2**53


def test_longer_is_the_same_and_more() -> None:
    stream = Stream(1, 2, 3)
    assert torch.equal(stream.uniforms(100), stream.uniforms(20_000)[:100])
    assert torch.equal(stream.normals(100), stream.normals(20_000)[:100])
    assert stream.uniforms(0).shape == (0, 2)


def test_uniforms_are_uniform() -> None:
    numbers = Stream(0, 0, 0).uniforms(50_000)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert torch.histc(numbers, 10, 0, 1).div(10_000).sub(1).abs().max() < 0.04


def test_normals_are_normal() -> None:
    numbers = Stream(0, 1, 0).normals(50_000)
    assert numbers.dtype == torch.float32
    for moment, expected in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        assert abs(float((numbers**moment).mean()) - expected) < 0.05
    assert abs(float((numbers[:, 0] * numbers[:, 1]).mean())) < 0.02


@pytest.mark.parametrize("other", [Stream(2, 0, 0), Stream(1 << 32 | 1, 0, 0), Stream(1, 1, 0), Stream(1, 0, 1)])
def test_every_part_of_the_name_makes_another_stream(other: Stream) -> None:
    assert not torch.isin(other.uniforms(100), Stream(1, 0, 0).uniforms(100)).any()
