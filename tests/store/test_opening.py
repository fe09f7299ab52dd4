from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.settings import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore
from streamer.store.opening import open_store, patience


def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "语音#1"
    store = open_store(Store(url=folder.as_uri()))
    assert isinstance(store, DiskStore)
    store.put("a", b"x")
    assert (folder / "a").read_bytes() == b"x"
    store.close()


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_memory(url: str) -> None:
    assert isinstance(open_store(Store(url=url)), MemoryStore)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "without scheme"),
        ("/var/lib/streamer", "without scheme"),
        ("s3://Bucket/prefix", "no name of a bucket"),
        ("s3://user:secret@bucket/prefix", "no name of a bucket"),
        ("s3://bucket/a/../b", "'..'"),
        ("s3://bucket/a?b", "%3F"),
        ("gs://bucket/prefix", "'gs'"),
        ("file:relative/folder", "not absolute"),
        ("file://server/share", "'server'"),
        ("file:///a?b=c", "%3F"),
        ("file:///a#b", "%23"),
        ("file:///a%00b", "not absolute"),
        ("file://[::1/a", "Invalid IPv6"),
        ("memory:name", "'memory'"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_store(Store(url=url))
    (problem,) = raised.value.problems
    assert "store.url" in problem
    assert reason in problem
    assert "file:///absolute/folder" in problem or "s3://bucket/prefix" in problem or "%3F" in problem


def test_only_a_store_that_answers_over_a_network_is_given_patience() -> None:
    assert patience(Store(url="file:///folder")) == patience(Store(url="memory:")) == 0
    assert patience(Store(url="s3://bucket", timeout=2)) >= 20
