"""A file that is published somewhere, and how to know it when it has come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

_CHUNK = 1 << 20


class Checksum(NamedTuple):
    """What a publisher says of a file's content. `kind`: sha256, or git-sha1 (of the blob: a header, then the file)."""

    kind: str
    value: str

    def of(self, file: Path, told: Callable[[int], None] = lambda count: None) -> str:
        """The same of a file here; `told` hears of bytes as they are read. Errors: OSError."""
        if self.kind == "git-sha1":
            digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
        else:
            digest = hashlib.sha256()
        for chunk in _chunks(file):
            digest.update(chunk)
            told(len(chunk))
        return digest.hexdigest()


class RemoteFile(NamedTuple):
    """`path`: below the checkpoint's folder."""

    path: str
    url: str
    size: int | None
    """Bytes, where the publisher says."""
    checksum: Checksum | None
    headers: Mapping[str, str]
    begins: bytes = b""
    """How its content begins whatever its version; tells a file from a page that a proxy gave in its place."""


class Report(Protocol):
    """Hears what happens to each file, in turn."""

    def begin(self, path: str, size: int | None, had: int) -> None:
        """A transfer begins, of which `had` bytes are here already."""
        ...

    def advance(self, count: int) -> None:
        """So many bytes more; fewer than none where a server began anew."""
        ...

    def done(self, path: str, note: str) -> None:
        """It is here, and `note` says how."""
        ...

    def note(self, text: str) -> None:
        """Something else worth a line."""
        ...


def matching(paths: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Those that fit a pattern in each of their parts, so that none of them leads elsewhere."""
    return [path for path in paths if any(_fits(path, pattern) for pattern in patterns)]


def _fits(path: str, pattern: str) -> bool:
    parts, wanted = PurePosixPath(path).parts, PurePosixPath(pattern).parts
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
