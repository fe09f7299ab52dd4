"""One digest of a checkpoint: over every file of it that changes a byte of the sound."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from streamer.engines.glm.checkpoint.layout import Layout, present
from streamer.engines.glm.checkpoint.tensors import weight_files
from streamer.errors import CheckpointError

_REMEMBERED = 1 << 20
"""Bytes from which a file's digest is kept."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def checkpoint_digest(layout: Layout, cache: Path | None, sample_rate: int = 24_000) -> str:
    """Hex sha256 over names and digests of the files that sound of this rate needs, wherever the folder lies.

    Digests of large files are kept in `cache`, so that a start does not read gigabytes again. Errors: CheckpointError
    that names a file that is missing or changes while it is read.
    """
    digests = FileDigests(cache)
    whole = hashlib.sha256()
    for name, path in _files(layout, sample_rate):
        whole.update(f"{name} {digests.of(path)}\n".encode())
    return whole.hexdigest()


def _files(layout: Layout, sample_rate: int) -> Iterator[tuple[str, Path]]:
    """Each with a name that does not depend on where the folder lies."""
    yield "tokenizer.model", layout.tokenizer_ranks
    yield "tokenizer_config.json", layout.tokenizer_config
    for part, folder in (("llm", layout.llm), ("speech_tokenizer", layout.speech_tokenizer)):
        for path in (folder / "config.json", *weight_files(folder)):
            yield f"{part}/{path.name}", path
    yield "flow/config.yaml", layout.flow_config
    yield "flow/flow.pt", layout.flow
    yield ("hift.pt", layout.hift) if sample_rate == 24_000 else ("generator_jit.ckpt", layout.vocos)
    yield "campplus.onnx", layout.speaker


class FileDigests:
    """sha256 of files; of large ones, kept under what changes with every change of their content."""

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache / "digests" if cache is not None else None

    def of(self, path: Path) -> str:
        """Hex. Errors: CheckpointError."""
        before = _state(present(path))
        kept = self._kept(path, before)
        if kept is not None and (known := _known(kept)) is not None:
            return known
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
        if _state(path) != before:
            raise CheckpointError(f"{path}: changed while it was read; start again when whoever writes it is done")
        if kept is not None:
            _keep(kept, digest)
        return digest

    def _kept(self, path: Path, state: tuple[int, ...]) -> Path | None:
        if self._cache is None or state[0] < _REMEMBERED:
            return None
        key = "/".join([str(path.resolve()), *map(str, state)])
        return self._cache / hashlib.sha256(key.encode()).hexdigest()


def _state(path: Path) -> tuple[int, ...]:
    """Size, times and place. A copy that keeps its time of modification still has its own of change."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _known(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return text if _DIGEST.fullmatch(text) else None


def _keep(file: Path, digest: str) -> None:
    with suppress(OSError):  # a cache that cannot be written costs the next start its time, nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}")
        part.write_text(digest, encoding="ascii")
        part.replace(file)
