from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore
from tests.store.contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = MemoryStore()
        yield store
        store.close()


class TestDiskStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = DiskStore(tmp_path / "store")
        yield store
        store.close()
