from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from streamer.clock import ManualClock
from streamer.errors import StoreRejected, StoreUnavailable
from streamer.store.base import Store
from streamer.store.opening import open_store
from streamer.store.s3 import S3Store
from streamer.store.s3_place import place
from tests.faults.proxy import Fault, FaultProxy, clear
from tests.store.s3server import S3Server

_LARGE = 40 << 20
"""Bytes that go in parts, where they may."""


@pytest.fixture
def prefix() -> str:
    return f"s3/{secrets.token_hex(8)}"


@pytest.fixture
def store(s3: S3Server, prefix: str) -> Iterator[Store]:
    store = open_store(s3.settings(prefix))
    yield store
    store.close()


# What is kept, and how it is handed out


@pytest.mark.parametrize(
    ("key", "name", "media_type", "disposition"),
    [
        ("a/b.wav", "order 1", "audio/wav", 'attachment; filename="order 1.wav"'),
        ("a/b.wav", "order.WAV", "audio/wav", 'attachment; filename="order.WAV"'),
        ("a/b.mp3", "o.wav", "audio/mpeg", 'attachment; filename="o.wav.mp3"'),
        ("a/b.wav", "语.wav", "audio/wav", "attachment; filename=\"_.wav\"; filename*=UTF-8''%E8%AF%AD.wav"),
        ("a/b.wav", 'x"\r\nSet-Cookie: y', "audio/wav", None),
        ("a/b.json", None, "application/json", ""),
    ],
)
def test_a_link_hands_out_type_and_name(
    store: Store, key: str, name: str | None, media_type: str, disposition: str | None
) -> None:
    store.put(key, b"bytes", name)
    link = store.link(key)
    assert link is not None
    answer = httpx.get(link, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"bytes")
    assert answer.headers["content-type"] == media_type
    assert "set-cookie" not in answer.headers
    if disposition is not None:
        assert answer.headers.get("content-disposition", "") == disposition


def test_a_link_reads_parts_and_nothing_else(store: Store) -> None:
    store.put("a/b.wav", b"0123456789")
    link = store.link("a/b.wav") or ""
    part = httpx.get(link, headers={"Range": "bytes=3-5"}, trust_env=False)
    assert (part.status_code, part.content) == (206, b"345")
    assert httpx.put(link, content=b"else", trust_env=False).status_code == 403
    assert httpx.get(link.partition("?")[0], trust_env=False).status_code == 403


def test_a_link_ends(s3: S3Server, prefix: str) -> None:
    store = open_store(s3.settings(prefix, link_seconds=1))
    store.put("a/b.wav", b"x")
    link = store.link("a/b.wav") or ""
    deadline = time.monotonic() + 10
    while httpx.get(link, trust_env=False).status_code != 403:
        assert time.monotonic() < deadline, "it is good for longer than it says"
        time.sleep(0.1)


def test_a_uri_names_bucket_prefix_and_key(s3: S3Server, prefix: str) -> None:
    store = open_store(s3.settings(f"{prefix}/with space"))
    assert store.uri("a/b c") == f"s3://streamer/{prefix}/with%20space/a/b%20c"


def test_prefixes_are_stores_of_their_own(s3: S3Server, prefix: str) -> None:
    one, other = open_store(s3.settings(f"{prefix}/a")), open_store(s3.settings(f"{prefix}/ab"))
    assert one.put("k", b"1") is other.put("k", b"2") is True
    assert (one.get("k"), other.get("k"), list(one.list(""))) == (b"1", b"2", ["k"])


# Large objects


def test_parts_are_sent_only_where_the_object_may_be_overwritten(s3: S3Server, prefix: str) -> None:
    """Only a whole PUT can be conditional."""
    puts: list[str] = []

    def noted(method: str, target: str) -> Fault:
        if method != "GET":
            puts.append(target)
        return Fault.NONE

    with FaultProxy(s3.port, clear, give_up=5) as proxy:
        store = open_store(s3.settings(prefix, endpoint=proxy.endpoint))
        proxy.choose = noted
        data = secrets.token_bytes(_LARGE)
        assert store.put("a/put.wav", data) is True
        assert len(puts) == 1
        assert store.put("a/put.wav", data[1:] + b"x") is False
        assert store.get("a/put.wav") == data
        puts.clear()
        store.replace("a/replaced.wav", data)
        assert sum("partNumber=" in target for target in puts) == 5
        assert store.get("a/replaced.wav") == data
        puts.clear()
        store.replace("a/replaced.wav", data[: 32 << 20])
        assert len(puts) == 1
        assert store.get("a/replaced.wav") == data[: 32 << 20]


def test_writers_of_one_large_content_leave_it_whole(store: Store) -> None:
    data = secrets.token_bytes(_LARGE)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.replace("a/b.wav", data), range(4)))
    assert store.get("a/b.wav") == data


def test_what_is_replaced_is_handed_out_under_its_new_name(store: Store) -> None:
    for name in ("first", "second"):
        store.replace("a/b.wav", b"bytes", name)
        answer = httpx.get(store.link("a/b.wav") or "", trust_env=False)
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}.wav"'


def test_an_upload_that_takes_too_long_is_given_up(s3: S3Server, prefix: str) -> None:
    clock = ManualClock()
    store = S3Store(place(s3.settings(prefix), os.environ), clock, 60)
    monotonic, calls = clock.monotonic, iter(range(100))
    clock.monotonic = lambda: monotonic() + 20.0 * next(calls)  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match=r"of 41943040 bytes sent within 6 times store.timeout; raise it"):
        store.replace("a/b.wav", bytes(_LARGE))
    assert store.get("a/b.wav") is None


def test_who_may_not_delete_is_told_which_right_is_missing(s3: S3Server, prefix: str) -> None:
    store = open_store(s3.settings(prefix))
    store.put("a/b", b"x")
    with FaultProxy(s3.port, clear, give_up=5) as proxy:
        refused = open_store(s3.settings(prefix, endpoint=proxy.endpoint))
        proxy.choose = lambda method, target: Fault.FORBIDDEN if "delete" in target else Fault.NONE
        with pytest.raises(StoreUnavailable, match=r"403 .*may not delete.*grant s3:DeleteObject"):
            refused.delete("a/b")
    assert store.get("a/b") == b"x"


_RACER = """
import sys
from streamer.settings import Store
from streamer.store.opening import open_store
url, endpoint, name = sys.argv[1:]
store = open_store(Store(url=url, endpoint=endpoint))
print("ready", flush=True)
sys.stdin.readline()
print(sum(store.put(f"{number % 20}/{number}", f"{name}-{number}".encode()) for number in range(200)), flush=True)
"""


def test_of_many_processes_one_wins_each_key(s3: S3Server, store: Store, prefix: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, f"s3://streamer/{prefix}", s3.endpoint, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    outputs = [racer.stdout for racer in racers if racer.stdout]
    assert [output.readline() for output in outputs] == ["ready\n"] * 4
    for racer in racers:
        if racer.stdin:
            racer.stdin.write("\n")
            racer.stdin.flush()
    wins = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(wins) == 200
    assert sum(win > 0 for win in wins) > 1, "nobody raced"
    standing = [store.get(f"{number % 20}/{number}") or b"" for number in range(200)]
    assert [sum(data.startswith(f"{name}-".encode()) for data in standing) for name in range(4)] == wins


# Faults while running


def test_a_server_that_went_away_is_unavailable_until_it_is_back(s3: S3Server, store: Store) -> None:
    store.put("a/b", b"x")
    s3.kill()
    for call in (
        lambda: store.get("a/b"),
        lambda: store.put("a/c", b"y"),
        lambda: store.size("a/b"),
        lambda: store.read("a/b", 0, 1),
        lambda: list(store.list("a/")),
        lambda: list(store.entries("a/")),
        lambda: store.replace("a/b", b"y"),
        lambda: store.delete("a/b"),
    ):
        with pytest.raises(StoreUnavailable, match=r"s3://streamer/.*no connection"):
            call()
    s3.start()
    assert store.get("a/b") == b"x"


def test_a_call_ends_within_twice_the_timeout(s3: S3Server, prefix: str) -> None:
    with FaultProxy(s3.port, clear, give_up=30) as proxy:
        store = open_store(s3.settings(prefix, endpoint=proxy.endpoint, timeout=1))
        proxy.choose = lambda method, target: Fault.HANG
        for call, limit in ((lambda: store.put("a/b", b"x"), 2.5), (lambda: store.get("a/b"), 1.5)):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="no answer in time"):
                call()
            assert time.monotonic() - began < limit


def test_what_an_object_is_to_blame_for_is_rejected(store: Store) -> None:
    store.put("a", b"x")
    # On a file system versitygw cannot have both; S3 itself can.
    with pytest.raises(StoreRejected, match="ObjectParentIsFile"):
        store.put("a/b", b"x")
