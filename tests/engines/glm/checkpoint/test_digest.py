from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from streamer.engines.glm.checkpoint.digest import FileDigests, checkpoint_digest
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.errors import CheckpointError
from tests.engines.glm.checkpoint.conftest import Damage

READ = (
    "vq32k-phoneme-tokenizer/tokenizer.model",
    "vq32k-phoneme-tokenizer/tokenizer_config.json",
    "llm/config.json",
    "llm/model.safetensors",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model.safetensors",
    "flow/config.yaml",
    "flow/flow.pt",
    "frontend/campplus.onnx",
)


def test_it_changes_with_every_file_that_changes_a_byte(tiny: Layout, damage: Damage) -> None:
    seen = {checkpoint_digest(tiny, None)}
    for name in (*READ, "hift/hift.pt"):
        content = (tiny.root / name).read_bytes()
        # The last byte is data, or white space after a configuration.
        layout = damage(name, content[:-1] + bytes([content[-1] ^ 2]))
        seen.add(checkpoint_digest(layout, None))
    assert len(seen) == 1 + len(READ) + 1


def test_each_rate_has_its_vocoder(tiny: Layout, damage: Damage) -> None:
    low, high = checkpoint_digest(tiny, None), checkpoint_digest(tiny, None, 32_000)
    assert low != high
    layout = damage("vocos2d/generator_jit.ckpt", b"other")
    assert checkpoint_digest(layout, None) == low
    assert checkpoint_digest(layout, None, 32_000) not in (low, high)
    damage("hift/hift.pt", None)
    with pytest.raises(CheckpointError, match=r"hift\.pt is missing"):
        checkpoint_digest(layout, None)


def test_it_does_not_depend_on_where_the_folder_lies(tiny: Layout, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny.root, copy)
    assert checkpoint_digest(Layout(copy), tmp_path / "cache") == checkpoint_digest(tiny, None)
    (tmp_path / "frontend").mkdir()
    (copy / "frontend/campplus.onnx").rename(tmp_path / "frontend/campplus.onnx")
    assert checkpoint_digest(Layout(copy), None) == checkpoint_digest(tiny, None)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(b"a" * (1 << 20))
    return path


def test_a_large_file_is_read_once(large: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    digest = FileDigests(cache).of(large)
    assert digest == hashlib.sha256(b"a" * (1 << 20)).hexdigest()
    (kept,) = (cache / "digests").iterdir()
    kept.write_text("b" * 64)
    assert FileDigests(cache).of(large) == "b" * 64  # it was believed
    small = tmp_path / "small"
    small.write_bytes(b"a")
    FileDigests(cache).of(small)
    assert len(list((cache / "digests").iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"b" * 63, b"\xff" * 64, b"B" * 64])
def test_what_was_kept_and_is_no_digest_is_not_believed(large: Path, tmp_path: Path, content: bytes) -> None:
    digest = FileDigests(tmp_path).of(large)
    (kept,) = (tmp_path / "digests").iterdir()
    kept.write_bytes(content)
    assert FileDigests(tmp_path).of(large) == digest
    assert kept.read_text() == digest


def test_a_file_that_changed_is_read_again_even_if_its_time_did_not(large: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path)
    before, status = digests.of(large), large.stat()
    large.write_bytes(b"b" * (1 << 20))
    os.utime(large, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests.of(large) != before


def test_a_cache_that_cannot_be_written_costs_nothing_else(large: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert FileDigests(tmp_path / "file").of(large) == FileDigests(None).of(large)


def test_a_file_that_grows_while_it_is_read(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = hashlib.file_digest

    def growing(*arguments: object) -> object:
        with large.open("ab") as file:
            file.write(b"more")
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", growing)
    with pytest.raises(CheckpointError, match="changed while it was read"):
        FileDigests(None).of(large)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        FileDigests(None).of(tmp_path / "nothing")
