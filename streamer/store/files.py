"""Files in a folder that is open: each appears under its name whole, or not at all.

A file is written without a name (O_TMPFILE), flushed, and only then linked, which fails where the name exists. A crash
leaves nothing behind: what has no name is gone. Errors: OSError.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from streamer.store.keys import LEFTOVER

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PART = 1 << 20
T = TypeVar("T")


class Version(NamedTuple):
    """Which file stands under a name: another one that replaced it differs in either."""

    inode: int
    modified: int
    """Nanoseconds since the epoch."""


def version(name: str, folder: int) -> Version | None:
    """None where there is none."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return Version(found.st_ino, found.st_mtime_ns)


def write(name: str, folder: int, data: bytes) -> Version | None:
    """None where another writer was first."""
    file = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fdatasync(file)
        written = os.fstat(file)
        os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        return None
    finally:
        os.close(file)
    return Version(written.st_ino, written.st_mtime_ns)


def replace(name: str, folder: int, data: bytes) -> Version:
    """No name can be linked over another, so it gets one of its own first. A crash may leave that: LEFTOVER."""
    passing = f"{LEFTOVER}{secrets.token_hex(8)}"
    written = write(passing, folder, data)
    if written is None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    try:
        os.rename(passing, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(passing, dir_fd=folder)
        raise
    return written


def read(name: str, folder: int, start: int = 0, stop: int | None = None) -> tuple[bytes, Version]:
    """Its bytes from `start` to `stop`, or to its end, and whose they are."""
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder)
    try:
        found = os.fstat(file)
        parts = []
        while part := os.pread(file, _PART if stop is None else min(_PART, stop - start), start):
            parts.append(part)
            start += len(part)
        return b"".join(parts), Version(found.st_ino, found.st_mtime_ns)
    finally:
        os.close(file)


def walk(prefix: str, folder: int, show: Callable[[str, os.DirEntry[str]], T]) -> Iterator[T]:
    """All files below a folder, and what `show` makes of their paths. Holds a descriptor for each folder it is in."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            try:
                if entry.is_file(follow_symlinks=False):
                    yield show(path, entry)
                elif entry.is_dir(follow_symlinks=False):
                    inner = os.open(entry.name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                    try:
                        yield from walk(f"{path}/", inner, show)
                    finally:
                        os.close(inner)
            except FileNotFoundError:
                continue  # it went meanwhile


def make(name: str, parent: int) -> bool:
    """Whether this call made the folder."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def flush(folder: Path) -> None:
    """The names in a folder are durable; one that may not be read is passed over."""
    try:
        descriptor = os.open(folder, FOLDER)
    except PermissionError:
        return  # what we may not read we have not made
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
