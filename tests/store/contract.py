"""What every store must do, whatever keeps the bytes. tests/store/test_contract.py runs it on all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamer.errors import StoreRejected
from streamer.store.base import Store

_WRITERS = 16

_ESCAPING = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../up",
    "a/../b",
    "a/..",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "a\0b",
    "a/\ud800",
    "a/" + "é" * 128,
    "a/" * 600 + "b",
]


class StoreContract:
    def test_what_is_put_is_got(self, store: Store) -> None:
        assert store.put("folder/name", b"bytes") is True
        assert store.get("folder/name") == b"bytes"

    def test_what_was_not_put_is_none(self, store: Store) -> None:
        assert store.get("nothing") is None
        assert store.get("no/such/folder/nothing") is None
        store.put("folder/name", b"")
        assert store.get("folder") is None
        assert store.get("folder/name/below") is None

    def test_the_first_put_stands(self, store: Store) -> None:
        assert store.put("a/b", b"first") is True
        assert store.put("a/b", b"second") is False
        assert store.put("a/b", b"first") is False
        assert store.get("a/b") == b"first"

    def test_an_empty_object_is_an_object(self, store: Store) -> None:
        assert store.put("a/empty", b"") is True
        assert store.get("a/empty") == b""
        assert store.put("a/empty", b"late") is False

    def test_a_large_object_is_whole(self, store: Store) -> None:
        data = bytes(range(256)) * (20 * 1024 * 4)
        assert store.put("a/large", data) is True
        assert store.get("a/large") == data

    def test_keys_hold_any_name(self, store: Store) -> None:
        keys = ["plain", "deep/er/and/deeper", "语音/客服 1.wav", "100%/#?&", "a\\b", "...", "a/..b", "new\nline"]
        for key in keys:
            assert store.put(key, key.encode()) is True
        assert {key: store.get(key) for key in keys} == {key: key.encode() for key in keys}
        assert set(store.list("")) == set(keys)

    @pytest.mark.parametrize("key", _ESCAPING, ids=ascii)
    def test_a_key_that_is_none_is_rejected(self, store: Store, key: str) -> None:
        for call in (lambda: store.put(key, b"x"), lambda: store.get(key), lambda: store.uri(key)):
            with pytest.raises(StoreRejected):
                call()
        assert list(store.list("")) == []

    def test_list_gives_the_keys_below_a_prefix(self, store: Store) -> None:
        for key in ("a/1", "a/2", "a/b/3", "ab/4", "5"):
            store.put(key, b"")
        assert set(store.list("a/")) == {"a/1", "a/2", "a/b/3"}
        assert set(store.list("a/b/")) == {"a/b/3"}
        assert set(store.list("c/")) == set()
        assert set(store.list("a/1/")) == set()

    @pytest.mark.parametrize("prefix", ["a", "../", "/", "a/../"])
    def test_a_prefix_that_is_none_is_rejected(self, store: Store, prefix: str) -> None:
        with pytest.raises(StoreRejected):
            store.list(prefix)

    def test_a_listing_may_be_left_and_written_to(self, store: Store) -> None:
        for number in range(10):
            store.put(f"a/{number}", b"")
        for key in store.list("a/"):
            store.put(f"{key}-again", b"")
        assert len(list(store.list("a/"))) == 20
        next(iter(store.list("a/")))

    def test_uris_are_quoted_and_tell_keys_apart(self, store: Store) -> None:
        uris = {store.uri(key) for key in ("a b", "a%20b", "a/b", "语音", "a#b", "a?b")}
        assert len(uris) == 6
        assert all(uri.isascii() and not set(uri) & set(" #?") for uri in uris)

    def test_of_many_writers_one_wins_and_no_reader_sees_a_part(self, store: Store) -> None:
        for round_ in range(20):
            key = f"{round_}/contested"
            objects = [bytes([writer]) * (100_000 + writer) for writer in range(_WRITERS)]
            start = threading.Barrier(_WRITERS)

            def write(data: bytes, key: str = key, start: threading.Barrier = start) -> tuple[bool, list[bytes | None]]:
                start.wait()
                early = store.get(key)
                return store.put(key, data), [early, store.get(key)]

            with ThreadPoolExecutor(_WRITERS) as pool:
                outcomes = list(pool.map(write, objects))
            winners = [writer for writer, (won, _) in enumerate(outcomes) if won]
            assert len(winners) == 1
            winner = objects[winners[0]]
            assert all(early in (None, winner) and late == winner for _, (early, late) in outcomes)

    def test_many_objects_from_many_threads(self, store: Store) -> None:
        keys = [f"{number % 40}/{number}" for number in range(400)]
        with ThreadPoolExecutor(_WRITERS) as pool:
            assert all(pool.map(lambda key: store.put(key, key.encode()), keys))
            assert list(pool.map(store.get, keys)) == [key.encode() for key in keys]
        assert set(store.list("")) == set(keys)
