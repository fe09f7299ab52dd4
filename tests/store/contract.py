"""What every store must do, whatever keeps the bytes. tests/store/test_contract.py runs it on all of them."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import httpx
import pytest

from streamer.errors import StoreRejected
from streamer.store.base import Store
from streamer.store.keys import check

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
    "new\nline",
    "a\x7f",
    "a/\ufffe",
    "a/\ud800",
    "a/" + "é" * 128,
    "a/" * 600 + "b",
]


_NAMES = ["order 1.wav", "语音", 'a"b;c\\d', "x\r\nSet-Cookie: y", "../../etc/passwd", "\ud800", "é" * 3000, " ", "."]

_CHARACTERS = "aab./\\ %?#&+é语\0\n\x7f\x85\ufffe😀~\"'<>:*|"

_CLOCK = 2.0
"""Seconds by which a store's clock may be off ours, or coarser."""


def _modified(store: Store) -> float:
    [entry] = store.entries("a/")
    return entry.modified


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

    def test_an_object_that_goes_in_parts_is_whole(self, store: Store) -> None:
        data = bytes(range(256)) * (40 * 1024 * 4)
        for written in (data, data, b"short", data[1:]):
            store.replace("a/b.wav", written, "long.wav")
            assert store.size("a/b.wav") == len(written)
            assert store.get("a/b.wav") == written
        assert store.put("a/b.wav", data) is False
        assert list(store.list("")) == ["a/b.wav"]

    def test_what_is_replaced_is_there_whether_something_stood_or_not(self, store: Store) -> None:
        for data in (b"first", b"second", b"", b"third"):
            store.replace("a/b", data)
            assert store.get("a/b") == data
        assert store.put("a/b", b"late") is False
        store.put("a/c", b"put")
        store.replace("a/c", b"replaced")
        assert store.get("a/c") == b"replaced"
        assert set(store.list("a/")) == {"a/b", "a/c"}

    def test_what_is_deleted_is_gone_and_may_be_put_again(self, store: Store) -> None:
        store.put("a/b", b"1")
        store.put("a/c", b"2")
        for _ in range(2):
            store.delete("a/b")
            assert store.get("a/b") is None
            assert store.size("a/b") is None
        assert list(store.list("a/")) == ["a/c"]
        with pytest.raises(StoreRejected):
            store.read("a/b", 0, 1)
        assert store.put("a/b", b"again") is True
        assert store.get("a/b") == b"again"

    def test_deleting_what_is_no_object_does_nothing(self, store: Store) -> None:
        store.put("a/b", b"1")
        for key in ("c", "c/d", "a/c", "a", "a/b/c"):
            store.delete(key)
        assert store.get("a/b") == b"1"

    @pytest.mark.parametrize("key", ["", "../a", "a/"])
    def test_no_other_call_takes_a_key_that_is_none(self, store: Store, key: str) -> None:
        with pytest.raises(StoreRejected):
            store.replace(key, b"x")
        with pytest.raises(StoreRejected):
            store.delete(key)
        with pytest.raises(StoreRejected):
            store.size(key)

    def test_entries_tell_sizes_and_ages(self, store: Store) -> None:
        began = time.time()
        sizes = {"a/1": 0, "a/2": 5, "a/b/3": 70_000, "ab/4": 1}
        for key, size in sizes.items():
            store.put(key, bytes(size))
        entries = list(store.entries(""))
        assert {entry.key: entry.size for entry in entries} == sizes
        assert len(entries) == len(sizes)
        assert all(began - _CLOCK <= entry.modified <= time.time() + _CLOCK for entry in entries)
        assert {entry.key for entry in store.entries("a/")} == {"a/1", "a/2", "a/b/3"}
        assert list(store.entries("c/")) == list(store.entries("a/1/")) == []
        with pytest.raises(StoreRejected):
            store.entries("a")

    def test_an_age_restarts_when_the_object_is_replaced_and_only_then(self, store: Store) -> None:
        store.replace("a/b", b"same")
        first = _modified(store)
        deadline = time.monotonic() + 10
        while _modified(store) <= first:  # a store tells ages by the second at worst
            assert store.put("a/b", b"other") is False
            assert _modified(store) == first, "a put that wrote nothing"
            store.replace("a/b", b"same")
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_the_entries_of_a_folder_follow_each_other(self, store: Store) -> None:
        keys = {f"{number % 7:064x}/{number}" for number in range(40)}
        for key in sorted(keys, key=lambda key: key[::-1]):
            store.put(key, b"x")
        seen = [entry.key.rpartition("/")[0] for entry in store.entries("")]
        assert len(seen) == 40
        assert [folder for folder, _ in groupby(seen)] == list(dict.fromkeys(seen))

    def test_entries_may_be_deleted_while_they_are_listed(self, store: Store) -> None:
        for number in range(30):
            store.put(f"{number % 3}/{number}", b"x")
        for entry in store.entries(""):
            store.delete(entry.key)
        assert list(store.entries("")) == []

    def test_readers_of_what_is_replaced_see_one_object_whole(self, store: Store) -> None:
        objects = [bytes([writer]) * (50_000 + 1_000 * writer) for writer in range(4)]
        sizes = [len(data) for data in objects]
        store.replace("a/b", objects[0])
        over = threading.Event()

        def write(data: bytes) -> None:
            for _ in range(25):
                store.replace("a/b", data)

        def read() -> list[str]:
            wrong = []
            while not over.is_set():
                data, size = store.get("a/b"), store.size("a/b")
                wrong += [f"get: {data and len(data)} bytes"] if data not in objects else []
                wrong += [f"size: {size}"] if size not in sizes else []
                wrong += ["read: nothing whole"] if len(set(store.read("a/b", 0, 50_000))) != 1 else []
                wrong += ["list: absent"] if list(store.list("a/")) and "a/b" not in store.list("a/") else []
            return wrong

        with ThreadPoolExecutor(8) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            try:
                list(pool.map(write, objects))
            finally:
                over.set()
            assert [reader.result() for reader in readers] == [[]] * 4
        assert store.get("a/b") in objects
        assert list(store.list("")) == ["a/b"]

    def test_a_size_is_known_without_reading(self, store: Store) -> None:
        store.put("a/b", b"12345")
        store.put("a/empty", b"")
        assert store.size("a/b") == 5
        assert store.size("a/empty") == 0
        assert store.size("a/c") is None
        assert store.size("a") is None

    def test_what_is_called_absent_is_not_there(self, store: Store) -> None:
        store.put("a/b", b"1")
        assert store.absent("a/b") is False
        assert store.absent("a") is False or store.get("a") is None
        for key in ("a/c", "c/b", "a/b/c"):
            assert store.absent(key) in (True, False)
            assert store.get(key) is None
        with pytest.raises(StoreRejected):
            store.absent("../a")

    @pytest.mark.parametrize(("start", "stop"), [(0, 10), (0, 1), (9, 10), (3, 7), (4, 4), (0, 0), (10, 10)])
    def test_a_part_is_read(self, store: Store, start: int, stop: int) -> None:
        store.put("a/b", b"0123456789")
        assert store.read("a/b", start, stop) == b"0123456789"[start:stop]

    @pytest.mark.parametrize("stop", [0, 1])
    def test_nothing_is_read_of_what_is_not_there(self, store: Store, stop: int) -> None:
        with pytest.raises(StoreRejected, match="no such object"):
            store.read("a/b", 0, stop)

    @pytest.mark.parametrize("name", [*_NAMES, None], ids=ascii)
    def test_any_download_name_is_taken(self, store: Store, name: str | None) -> None:
        assert store.put("a/b.wav", b"x", name) is True
        assert store.get("a/b.wav") == b"x"

    def test_a_link_reads_the_object_or_there_is_none(self, store: Store) -> None:
        store.put("a/b c.wav", b"bytes")
        link = store.link("a/b c.wav")
        if link is not None:
            assert httpx.get(link, trust_env=False).content == b"bytes"

    def test_a_key_is_refused_by_all_or_kept_by_all(self, store: Store) -> None:
        """The stores share `keys.check`; what it lets pass is kept under that very name."""
        chance, refused = random.Random(3), 0
        for number in range(300):
            key = f"{number}/" + "".join(chance.choices(_CHARACTERS, k=chance.randint(1, 8)))
            try:
                check(key)
            except StoreRejected:
                refused += 1
                with pytest.raises(StoreRejected):
                    store.put(key, b"x")
                continue
            assert store.put(key, key.encode()) is True
            assert store.get(key) == key.encode()
            assert list(store.list(f"{number}/")) == [key]
        assert 50 < refused < 250

    def test_keys_hold_any_name(self, store: Store) -> None:
        keys = [
            "plain",
            "deep/er/and/deeper",
            "语音/客服 1.wav",
            "100%/#?&",
            "a\\b",
            "...",
            "a/..b",
            '~*[]{}|^`"<>',
            "\x80\x9f",
            "a/😀 ",
        ]
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
