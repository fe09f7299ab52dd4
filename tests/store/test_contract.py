from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.store.base import Store
from streamer.store.disk import DiskStore
from streamer.store.memory import MemoryStore
from streamer.store.opening import open_store
from tests.store.contract import StoreContract
from tests.store.s3server import S3Server


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = MemoryStore()
        yield store
        store.close()


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, s3: S3Server) -> Iterator[Store]:
        store = open_store(s3.settings(f"contract/{secrets.token_hex(8)}"))
        yield store
        store.close()


class TestDiskStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = DiskStore(tmp_path / "store")
        yield store
        store.close()
