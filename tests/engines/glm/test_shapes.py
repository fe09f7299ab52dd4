from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from torch import device

from streamer.engines.glm.shapes import batch_rows, bucket, buckets, computed_length


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


def test_all_buckets_up_to_a_length() -> None:
    assert buckets(1) == [32]
    assert buckets(300) == [32, 64, 96, 128, 160, 192, 224, 256, 288, 320]
    assert (len(buckets(4096)), buckets(4096)[-1]) == (40, 4096)


def test_only_a_gpu_pads() -> None:
    assert computed_length(551, device("cpu")) == 551
    assert computed_length(551, device("cuda:0")) == 576


def test_long_ones_have_fewer_rows() -> None:
    assert [batch_rows(length, 8) for length in (32, 1024, 1152, 2048, 4096)] == [8, 8, 7, 4, 2]
    assert batch_rows(4096, 1) == 1
