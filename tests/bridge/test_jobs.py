from __future__ import annotations

import asyncio

import pytest

from streamer.bridge import paths
from streamer.identity import Identity
from streamer.records import SpeechRequest
from streamer.store.deletion import bury
from streamer.store.memory import MemoryStore
from tests.bridge.running import AUDIO, LostStore, decide, running

HELLO = SpeechRequest(source="shop", id="1", text="hello", output_name="a.wav")
WORD = "s3cret"


def test_a_finished_job_says_what_became_of_it() -> None:
    store = MemoryStore()
    decide(store, HELLO)
    decide(store, SpeechRequest(source="shop", id="2", text="hello"), failed=True)

    async def scenario() -> None:
        async with running(store=store) as bridge:
            completed = await bridge.client.get("/jobs/1?source=shop")
            assert completed.status_code == 200
            assert completed.headers["cache-control"] == "no-store"
            job = completed.json()
            assert (job["state"], job["source"], job["id"], job["generation"]) == ("completed", "shop", "1", 1)
            assert (job["text"], job["voice"], job["engine"]["name"], job["output_name"]) == ("t", "v", "tone", "a.wav")
            assert job["audio"]["link"] == "/jobs/1/audio?source=shop"
            assert (job["audio"]["uri"], job["audio"]["sha256"]) == (AUDIO.uri, AUDIO.sha256)
            assert "follows, where it is not there yet" in job["detail"]  # a verdict is no commit
            failed = (await bridge.client.get("/jobs/2?source=shop")).json()
            assert (failed["state"], failed["code"], failed["message"]) == ("failed", "expired", "too late")
            assert (failed["retryable"], failed["attempts"]) == (False, 1)
            head = await bridge.client.head("/jobs/1?source=shop")
            assert (head.status_code, head.content) == (200, b"")

    asyncio.run(scenario())


def test_a_promoted_job_names_the_replay() -> None:
    store = MemoryStore()
    decide(store, HELLO)
    decide(store, HELLO, generation=2, run="monday/1")

    async def scenario() -> None:
        async with running(store=store) as bridge:
            job = (await bridge.client.get("/jobs/1?source=shop")).json()
            assert (job["state"], job["generation"]) == ("completed", 2)
            assert job["detail"].startswith("made again and promoted by the replay monday/1;")
            assert "follows" not in job["detail"]  # nothing more comes on tts.completed

    asyncio.run(scenario())


def test_a_deleted_job_says_so_and_its_request_is_not_spoken_again() -> None:
    store = MemoryStore()
    decide(store, SpeechRequest(source="webhook", id="1", text="hello"))
    bury(store, Identity("webhook", "1"), 7)

    async def scenario() -> None:
        async with running(store=store) as bridge:
            job = (await bridge.client.get("/jobs/1")).json()
            assert (job["state"], job["code"], job["retryable"], job["decided_at"]) == ("failed", "deleted", False, 7)
            assert job["detail"].startswith("deleted, text and audio")
            again = await bridge.post({"id": "1", "text": "hello"})
            assert (again.status_code, again.json()["status"]) == (200, "skipped")
            assert (again.json()["state"], again.json()["code"], again.json()["link"]) == ("failed", "deleted", None)
            other = await bridge.post({"id": "1", "text": "other words"})
            assert (other.status_code, other.json()["code"]) == (409, "id_conflict")
            assert bridge.records == []

    asyncio.run(scenario())


def test_a_job_is_accepted_from_its_ack_to_its_verdict_and_unknown_before() -> None:
    store = MemoryStore()

    async def scenario() -> None:
        async with running(store=store) as bridge:
            for path in ("/jobs/1", "/jobs/1/audio", "/jobs/1?source=shop"):
                response = await bridge.client.get(path)
                assert (response.status_code, response.json()["code"]) == (404, "unknown_job")
                assert response.json()["state"] == "unknown"
                assert "another bridge" in response.json()["detail"]
            await bridge.post({"id": "1", "text": "hello"})
            assert (await bridge.client.get("/jobs/1")).json()["state"] == "accepted"
            assert (await bridge.client.get("/jobs/1?source=shop")).status_code == 404
            audio = await bridge.client.get("/jobs/1/audio")
            assert (audio.status_code, audio.json()["code"], audio.headers["retry-after"]) == (404, "not_finished", "1")
            decide(store, SpeechRequest(source="webhook", id="1", text="hello"))
            assert (await bridge.client.get("/jobs/1")).json()["state"] == "completed"

    asyncio.run(scenario())


def test_only_the_last_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.bridge.core._REMEMBERED", 2)

    async def scenario() -> None:
        async with running() as bridge:
            for id_ in ("1", "2", "1", "3"):
                await bridge.post({"id": id_, "text": "hello"})
            assert [(await bridge.client.get(f"/jobs/{n}")).status_code for n in (1, 2, 3)] == [200, 404, 200]

    asyncio.run(scenario())


@pytest.mark.parametrize("id_", ["a/b", "100%", "%2F", "订单 7", "a/audio", "audio", "?x=1", "a+b", "🔔#"])
def test_ids_of_any_kind_are_found(id_: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            assert (await bridge.post({"id": id_, "text": "hello", "source": "a/&b"})).status_code == 202
            path = paths.audio("a/&b", id_)
            assert (await bridge.client.get(path)).json()["code"] == "not_finished"
            assert (await bridge.client.get(path.replace("/audio?", "?"))).json()["id"] == id_

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/jobs/100%", "id"),
        ("/jobs/%ff", "id"),
        ("/jobs/1?source=%ff", "query"),
        ("/jobs/1?sauce=shop", "sauce"),
        ("/jobs/1?download=1", "download"),
        ("/jobs/1/audio?download=yes", "download"),
        ("/jobs/1?" + "&".join(f"a{n}=1" for n in range(20)), "query"),
    ],
)
def test_paths_that_cannot_be_read(path: str, field: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            response = await bridge.raw("GET", path)
            assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
            assert [error["field"] for error in response.json()["errors"]] == [field]

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/jobs/", "/jobs//audio"])
def test_no_id_is_no_job(path: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            assert (await bridge.client.get(path)).status_code == 404

    asyncio.run(scenario())


def test_a_store_that_is_down_or_hangs_is_told() -> None:
    store = LostStore()

    async def scenario() -> None:
        async with running(store=store, ack_timeout=0.3) as bridge:
            store.down = True
            for path in ("/jobs/1", "/jobs/1/audio"):
                response = await bridge.client.get(path)
                assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
                assert "the disk is gone" in response.json()["detail"]
                assert response.headers["retry-after"] == "1"
            store.down, store.hanging = False, True
            assert "did not answer" in (await bridge.client.get("/jobs/1")).json()["detail"]
            store.hanging = False
            store.back.set()
            assert (await bridge.client.get("/jobs/1")).status_code == 404

    asyncio.run(scenario())


def test_jobs_are_behind_the_token_and_only_read() -> None:
    async def scenario() -> None:
        async with running(token=WORD) as bridge:
            for path in ("/jobs/1", "/jobs/1/audio"):
                assert (await bridge.client.get(path)).status_code == 401
                assert (await bridge.client.get(path, headers={"x-webhook-token": WORD})).status_code == 404
                refused = await bridge.client.post(path)
                assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
            assert (await bridge.client.get("/openapi.json")).status_code == 200
            assert (await bridge.client.get("/healthz")).status_code == 200

    asyncio.run(scenario())
