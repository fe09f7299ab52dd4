from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.shapes import bucket


def test_the_table() -> None:
    lengths = (1, 2, 31, 32, 33, 256, 257, 512, 513, 1024, 1025, 2048, 2049, 4096)
    expected = [32, 32, 32, 32, 64, 256, 288, 512, 576, 1024, 1152, 2048, 2304, 4096]
    assert [bucket(length) for length in lengths] == expected


@given(st.integers(1, 100_000))
def test_a_bucket_holds_its_length_and_little_more(length: int) -> None:
    size = bucket(length)
    assert length <= size < length + max(32, length / 8 + 1)
    assert bucket(size) == size
    assert bucket(length + 1) >= size
