"""The store's twin in memory: for tests, simulation and benchmarks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from streamer.errors import StoreRejected
from streamer.store.base import Entry
from streamer.store.keys import check, check_prefix, quoted


class MemoryStore:
    """Objects in a dictionary; they last as long as the process, which is all that differs from a disk."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now`: epoch seconds."""
        self._now = now
        self._objects: dict[str, bytes] = {}
        self._modified: dict[str, float] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        check(key)
        with self._lock:
            if key in self._objects:
                return False
            self._set(key, data)
            return True

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        with self._lock:
            self._set(check(key), data)

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check(key), None)
            self._modified.pop(key, None)

    def _set(self, key: str, data: bytes) -> None:
        self._objects[key] = bytes(data)
        self._modified[key] = self._now()

    def get(self, key: str) -> bytes | None:
        return self._objects.get(check(key))

    def absent(self, key: str) -> bool:
        return check(key) not in self._objects

    def size(self, key: str) -> int | None:
        data = self.get(key)
        return None if data is None else len(data)

    def read(self, key: str, start: int, stop: int) -> bytes:
        data = self.get(key)
        if data is None:
            raise StoreRejected(f"{key}: there is no such object")
        return data[start:stop]

    def link(self, key: str) -> str | None:
        """None: a dictionary has no address."""
        check(key)
        return None

    def list(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        with self._lock:
            return iter([key for key in self._objects if key.startswith(prefix)])

    def entries(self, prefix: str) -> Iterator[Entry]:
        check_prefix(prefix)
        with self._lock:
            keys = sorted(key for key in self._objects if key.startswith(prefix))
            return iter([Entry(key, len(self._objects[key]), self._modified[key]) for key in keys])

    def uri(self, key: str) -> str:
        return f"memory:///{quoted(key)}"

    def close(self) -> None:
        """Nothing to give back; what was put can still be read."""
