"""The store's twin in memory: for tests, simulation and benchmarks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from streamer.errors import StoreRejected
from streamer.store.keys import check, check_prefix, quoted


class MemoryStore:
    """Objects in a dictionary; they last as long as the process, which is all that differs from a disk."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        check(key)
        with self._lock:
            if key in self._objects:
                return False
            self._objects[key] = bytes(data)
            return True

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

    def uri(self, key: str) -> str:
        return f"memory:///{quoted(key)}"

    def close(self) -> None:
        """Nothing to give back; what was put can still be read."""
