from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from streamer.bridge.downloads import PART
from streamer.identity import Identity
from streamer.records import SpeechRequest
from streamer.store.deletion import bury
from streamer.store.memory import MemoryStore
from tests.bridge.running import LostStore, decide, running, speak

HELLO = SpeechRequest(source="webhook", id="订/1", text="hello", output_name='您好 "a".wav')
PATH = "/jobs/%E8%AE%A2%2F1/audio"
DATA = bytes(range(256)) * (PART // 100)
"""More than two parts."""


class LinkingStore(MemoryStore):
    def link(self, key: str) -> str | None:
        return f"https://store.example/{key}?signed"


def fetch(store: MemoryStore, path: str = PATH, method: str = "GET", **headers: str) -> httpx.Response:
    async def scenario() -> httpx.Response:
        async with running(store=store) as bridge:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await bridge.client.request(method, path, headers=named)

    return asyncio.run(scenario())


@pytest.fixture
def store() -> LostStore:
    store = LostStore()
    speak(store, HELLO, DATA)
    return store


def test_the_whole_audio(store: MemoryStore) -> None:
    response = fetch(store)
    assert (response.status_code, response.content) == (200, DATA)
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["content-length"] == str(len(DATA))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["cache-control"] == "private, no-cache"
    assert "content-range" not in response.headers
    disposition = "inline; filename=\"__ _a_.wav\"; filename*=UTF-8''%E6%82%A8%E5%A5%BD%20%22a%22.wav"
    assert response.headers["content-disposition"] == disposition
    assert response.headers["x-content-type-options"] == "nosniff"


def test_saved_under_its_id_where_it_has_no_name(store: MemoryStore) -> None:
    speak(store, SpeechRequest(source="shop", id="a/7", text="hello"), b"", "mp3")
    response = fetch(store, "/jobs/a%2F7/audio?download=1&source=shop")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "0")
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.headers["content-disposition"] == 'attachment; filename="a_7.mp3"'


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("page.html", 'filename="page.html.mp3"'),
        ("x\u202e3pm", 'filename="x_3pm.mp3"'),
        ("\u8bed\u97f3", "filename=\"__.mp3\"; filename*=UTF-8''%E8%AF%AD%E9%9F%B3.mp3"),
    ],
)
def test_it_is_saved_as_what_it_is(store: MemoryStore, name: str, saved: str) -> None:
    speak(store, SpeechRequest(source="shop", id="n", text="hello", output_name=name), b"", "mp3")
    response = fetch(store, "/jobs/n/audio?download=1&source=shop")
    assert response.headers["content-disposition"] == f"attachment; {saved}"


def test_head_is_get_without_the_audio(store: MemoryStore) -> None:
    whole, head = fetch(store), fetch(store, method="HEAD", range="bytes=0-1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers


@pytest.mark.parametrize(
    ("range", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        (f"bytes=5-{PART + 5}", 5, PART + 6),
        ("bytes=100-", 100, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        ("bytes=3-999999999999999999999", 3, len(DATA)),
    ],
)
def test_a_range(store: MemoryStore, range: str, start: int, stop: int) -> None:
    response = fetch(store, range=range)
    assert (response.status_code, response.content) == (206, DATA[start:stop])
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert response.headers["content-length"] == str(stop - start)


def test_a_range_outside_is_told_the_size(store: MemoryStore) -> None:
    response = fetch(store, range=f"bytes={len(DATA)}-")
    assert (response.status_code, response.json()["code"]) == (416, "range_not_satisfiable")
    assert response.headers["content-range"] == f"bytes */{len(DATA)}"


def test_several_ranges_get_the_whole(store: MemoryStore) -> None:
    assert fetch(store, range="bytes=0-1,5-6").content == DATA


def test_what_the_client_has_is_not_sent_again(store: MemoryStore) -> None:
    etag = fetch(store).headers["etag"]
    response = fetch(store, if_none_match=f'"other", {etag}', range="bytes=0-1")
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    assert fetch(store, if_range=etag, range="bytes=0-1").status_code == 206
    assert fetch(store, if_range='"other"', range="bytes=0-1").content == DATA


def test_a_store_that_gives_links_is_where_it_is_read() -> None:
    store = LinkingStore()
    audio = speak(store, HELLO, DATA)
    response = fetch(store)
    assert response.status_code == 307
    assert audio.sha256 in response.headers["location"]
    assert response.headers["cache-control"] == "no-store"
    head = fetch(store, method="HEAD")  # a link is good for GET alone
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")


def test_a_failed_job_has_none(store: MemoryStore) -> None:
    decide(store, SpeechRequest(source="shop", id="2", text="hello"), failed=True)
    response = fetch(store, "/jobs/2/audio?source=shop")
    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["failure"], problem["detail"]) == ("job_failed", "expired", "too late")


def test_audio_that_was_deleted_is_gone(store: MemoryStore) -> None:
    decide(store, SpeechRequest(source="shop", id="2", text="hello"))
    response = fetch(store, "/jobs/2/audio?source=shop")
    assert (response.status_code, response.json()["code"]) == (410, "audio_gone")
    assert "`streamer replay` of its id makes it again" in response.json()["detail"]


def test_audio_of_a_job_that_was_deleted_is_gone_for_good(store: MemoryStore) -> None:
    bury(store, Identity("webhook", "订/1"), 7)
    for method in ("GET", "HEAD"):
        assert fetch(store, method=method).status_code == 410
    problem = fetch(store, range="bytes=0-1").json()
    assert (problem["code"], problem["state"], problem["failure"]) == ("audio_gone", "failed", "deleted")
    assert problem["detail"] == "it was deleted by `streamer delete`"


def test_audio_that_cannot_be_read_is_told_before_it_begins(store: LostStore) -> None:
    store.lost_parts = True
    response = fetch(store)
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")


def test_a_store_lost_on_the_way_leaves_the_answer_unfinished(store: LostStore) -> None:
    sent = asyncio.run(_sent(store, lose_after=1))
    assert sent[0]["status"] == 200
    assert [message.get("more_body") for message in sent[1:]] == [True]


def test_a_client_that_leaves_ends_the_reading(store: LostStore) -> None:
    sent = asyncio.run(_sent(store, leave_after=1))
    assert len(sent[1:]) == 1


async def _sent(store: LostStore, *, lose_after: int = 0, leave_after: int = 0) -> list[Any]:
    """What the server is given to send, by a client or a store that goes away after some parts."""
    sent: list[Any] = []
    left = asyncio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        parts = len(sent) - 1
        store.lost_parts = bool(lose_after) and parts >= lose_after
        if leave_after and parts >= leave_after:
            left.set()
            await asyncio.sleep(0)

    async with running(store=store) as bridge:
        await bridge.app(_scope(), receive, send)
    return sent


def _scope() -> Any:
    paths = {"path": "/jobs/订/1/audio", "raw_path": PATH.encode()}
    return {"type": "http", "method": "GET", **paths, "query_string": b"", "headers": []}
