"""The store on a local disk: a file appears under its name whole and durable, or not at all.

What `files` wrote has its name, and then its folder is flushed, for the name is the folder's data; so is the parent of
a new folder.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from streamer.errors import ConfigurationError, StoreError, StoreRejected, StoreUnavailable
from streamer.store import files
from streamer.store.base import Entry
from streamer.store.files import FOLDER, Version
from streamer.store.keys import check, check_prefix, quoted

_REJECTED = {
    errno.E2BIG,
    errno.EFBIG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}
_NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
T = TypeVar("T")


class DiskStore:
    """Objects as files below `root`, which is made if need be. Thread safe; holds one file descriptor.

    Everything is reached from the root as it was opened: should its file system be unmounted later, nothing is
    written to the empty folder left in its place. What `get` returns is durable, whoever wrote it: its writer may
    have died between giving it its name and flushing the folder.

    Errors of opening: ConfigurationError for a file system without O_TMPFILE, StoreUnavailable where `root` cannot be
    made, written or read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._folders, self._objects = _Durable(), _Durable()
        self._descriptor = -1
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            for folder in self._root.parents:
                files.flush(folder)
            self._descriptor = os.open(self._root, FOLDER)
            _require_nameless_files(self._root)
            self._probe()
        except OSError as error:
            self.close()
            problem = f"store.url: cannot open the store in {self._root}: {error.strerror}"
            if isinstance(error, FileExistsError | NotADirectoryError):
                raise ConfigurationError([f"{problem}; it must be a folder"]) from error
            raise StoreUnavailable(problem) from error
        except BaseException:
            self.close()
            raise

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=True) as descriptor:
                standing = files.version(name, descriptor)
                written = None if standing else files.write(name, descriptor, data)
                # Also where it existed: its writer may not have come to this flush yet, and may never.
                os.fsync(descriptor)
        except OSError as error:
            raise self._converted(key, error) from error
        self._objects.add(key, written or standing)
        return written is not None

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=True) as descriptor:
                written = None if files.version(name, descriptor) else files.write(name, descriptor, data)
                if written is None:
                    written = files.replace(name, descriptor, data)
                os.fsync(descriptor)
        except OSError as error:
            raise self._converted(key, error) from error
        self._objects.add(key, written)

    def delete(self, key: str) -> None:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=False) as descriptor:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=descriptor)
                os.fsync(descriptor)  # also where it was gone: whoever took it may have died before this
        except _NOT_THERE:
            return
        except OSError as error:
            raise self._converted(key, error) from error

    def get(self, key: str) -> bytes | None:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=False) as descriptor:
                data, standing = files.read(name, descriptor)
                if not self._objects.holds(key, standing):
                    os.fsync(descriptor)
        except _NOT_THERE:
            return None
        except OSError as error:
            raise self._converted(key, error) from error
        self._objects.add(key, standing)
        return data

    def absent(self, key: str) -> bool:
        try:
            os.stat(check(key), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # `get` says what it is
        return False

    def size(self, key: str) -> int | None:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=False) as descriptor:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except _NOT_THERE:
            return None
        except OSError as error:
            raise self._converted(key, error) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, key: str, start: int, stop: int) -> bytes:
        folder, _, name = check(key).rpartition("/")
        try:
            with self._opened(folder, create=False) as descriptor:
                return files.read(name, descriptor, start, stop)[0]
        except _NOT_THERE as error:
            raise StoreRejected(f"{key} in {self._root}: there is no such object") from error
        except OSError as error:
            raise self._converted(key, error) from error

    def link(self, key: str) -> str | None:
        """None: the bridge hands a disk's files out."""
        check(key)
        return None

    def list(self, prefix: str) -> Iterator[str]:
        return self._walked(check_prefix(prefix), _name)

    def entries(self, prefix: str) -> Iterator[Entry]:
        return self._walked(check_prefix(prefix), _entry)

    def _walked(self, prefix: str, show: Callable[[str, os.DirEntry[str]], T]) -> Iterator[T]:
        try:
            with self._opened(prefix.removesuffix("/"), create=False) as descriptor:
                yield from files.walk(prefix, descriptor, show)
        except _NOT_THERE:
            return
        except OSError as error:
            raise self._converted(prefix, error) from error

    def uri(self, key: str) -> str:
        return f"{self._root.as_uri().removesuffix('/')}/{quoted(key)}"

    def close(self) -> None:
        """Give the descriptor back; later calls raise StoreUnavailable."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @contextmanager
    def _opened(self, folder: str, *, create: bool) -> Iterator[int]:
        """A descriptor of a folder below the root. A folder that is made is durable before anything is put in it."""
        root = self._descriptor
        if root < 0:
            raise OSError(errno.EBADF, "the store is closed")
        descriptor = os.open(".", FOLDER, dir_fd=root)
        path = ""
        try:
            for name in folder.split("/") if folder else ():
                path += f"{name}/"
                if create and (files.make(name, descriptor) or not self._folders.holds(path)):
                    os.fsync(descriptor)
                    self._folders.add(path)
                inner = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _probe(self) -> None:
        """Write, read and remove an object, so that a store that cannot be used is found out at the start."""
        key = f".probe-{secrets.token_hex(8)}"
        try:
            self.put(key, key.encode())
            if self.get(key) != key.encode():
                raise StoreUnavailable(f"the store in {self._root} does not return what was written to it")
        finally:
            with suppress(FileNotFoundError):
                os.unlink(key, dir_fd=self._descriptor)

    def _converted(self, what: str, error: OSError) -> StoreError:
        message = f"{what} in {self._root}: {error.strerror}"
        own = error.errno in _REJECTED
        if error.errno in (errno.EACCES, errno.EPERM):
            # One folder that is closed to us is its own trouble; a root that is closed is everyone's.
            own = os.access(self._root, os.W_OK | os.X_OK)
        return StoreRejected(message) if own else StoreUnavailable(message)


class _Durable:
    """The last paths that this process saw flushed, and which version of each, so that they are not flushed again."""

    _LIMIT = 8192

    def __init__(self) -> None:
        self._paths: dict[str, Version | None] = {}
        self._lock = threading.Lock()

    def add(self, path: str, version: Version | None = None) -> None:
        with self._lock:
            self._paths[path] = version
            if len(self._paths) > self._LIMIT:
                del self._paths[next(iter(self._paths))]

    def holds(self, path: str, version: Version | None = None) -> bool:
        return path in self._paths and self._paths.get(path) == version


def _require_nameless_files(root: Path) -> None:
    try:
        os.close(os.open(root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        raise ConfigurationError(
            [
                f"store.url (environment: STREAMER_STORE__URL): the file system of {root} has no O_TMPFILE, without "
                "which a crash leaves files cut short; choose a folder on ext4, xfs, btrfs or tmpfs"
            ]
        ) from error


def _name(path: str, _: os.DirEntry[str]) -> str:
    return path


def _entry(path: str, entry: os.DirEntry[str]) -> Entry:
    found = entry.stat(follow_symlinks=False)
    return Entry(path, found.st_size, found.st_mtime)
