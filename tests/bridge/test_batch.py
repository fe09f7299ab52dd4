from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from streamer.bridge import batch
from streamer.records import SpeechRequest
from streamer.store.memory import MemoryStore
from tests.bridge.running import HeldPublisher, Running, decide, memory_cluster, running, until

KIND = {"content-type": "application/x-ndjson"}
Lines = list[dict[str, Any]]


async def post(bridge: Running, content: bytes, **headers: str) -> httpx.Response:
    return await bridge.client.post("/webhook/tts/batch", content=content, headers={**KIND, **headers})


def lines(response: httpx.Response) -> Lines:
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.content.splitlines()]


def jsonl(*requests: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(request).encode() + b"\n" for request in requests)


def test_every_line_has_its_answer_and_a_bad_one_spoils_none() -> None:
    store = MemoryStore()
    decide(store, SpeechRequest(source="shop", id="done", text="hello"))
    body = b"\n".join(
        [
            b'{"source":"shop","id":"1","text":"one"}',
            b"",
            b'{"source":"shop","id":"2"',
            b" \r",
            b'{"source":"shop","id":"3","text":" "}',
            b'{"source":"shop","id":"done","text":"hello"}',
            b'{"source":"shop","id":"done","text":"hello","metadata":{"x":"' + b"x" * 2_000 + b'"}}',
            b'{"text":"no id"}\r',
        ]
    )

    async def scenario() -> None:
        async with running(store=store, max_body=500) as bridge:
            response = await post(bridge, body)
            assert response.status_code == 207
            answers = lines(response)
            assert [(answer["line"], answer["status"]) for answer in answers] == [
                (1, 202),
                (3, 400),
                (5, 422),
                (6, 200),
                (7, 413),
                (8, 202),
            ]
            assert answers[0]["answer"] == {"status": "accepted", "task_id": "1"}
            assert answers[2]["answer"]["errors"][0]["field"] == "text"
            assert answers[3]["answer"]["link"] == "/jobs/done/audio?source=shop"
            assert answers[5]["answer"]["task_id"] == "made-1"
            assert {request.id for request in bridge.requests} == {"1", "made-1"}
            assert [bridge.counted(name) for name in ("accepted", "skipped", "refused")] == [2, 1, 3]

    asyncio.run(scenario())


def test_all_well_is_200_and_an_empty_batch_too() -> None:
    async def scenario() -> None:
        async with running() as bridge:
            body = jsonl(*({"source": "shop", "id": str(n), "text": "hello"} for n in range(500)))
            response = await post(bridge, body, **{"content-type": "application/jsonl; charset=utf-8"})
            assert response.status_code == 200
            assert [answer["answer"]["task_id"] for answer in lines(response)] == [str(n) for n in range(500)]
            assert len(bridge.records) == 500
            for empty in (b"", b"\n\n"):
                response = await post(bridge, empty)
                assert (response.status_code, response.content) == (200, b"")

    asyncio.run(scenario())


def test_one_id_twice() -> None:
    body = jsonl(
        {"id": "1", "text": " "},  # refused, and so claims nothing
        {"id": "1", "text": "a"},
        {"id": "1", "text": "a", "metadata": {"which": "is no part of it"}},
        {"id": "1", "text": "b"},
        {"id": "1", "text": "b", "source": "other"},
    )

    async def scenario() -> None:
        async with running() as bridge:
            answers = lines(await post(bridge, body))
            assert [answer["status"] for answer in answers] == [422, 202, 202, 409, 202]
            assert answers[3]["answer"]["code"] == "id_conflict"
            assert sorted((request.source, request.text) for request in bridge.requests) == [
                ("other", "b"),
                ("webhook", "a"),
            ]

    asyncio.run(scenario())


def test_lines_of_which_nothing_is_known_name_the_id_to_retry_with() -> None:
    publisher = HeldPublisher(memory_cluster().broker().publisher())

    async def scenario() -> None:
        async with running(publisher=publisher, ack_timeout=0.2) as bridge:
            response = await post(bridge, jsonl({"id": "1", "text": "a"}, {"text": "b"}))
            assert response.status_code == 207
            answers = lines(response)
            assert [(each["status"], each["answer"]["task_id"]) for each in answers] == [(503, "1"), (503, "made-1")]

    asyncio.run(scenario())


def test_others_have_the_loop_while_lines_are_published() -> None:
    publisher = HeldPublisher(memory_cluster().broker().publisher())

    async def watched() -> None:
        seen = 0
        async with asyncio.timeout(20):
            while seen < 1_500:
                await asyncio.sleep(0)
                seen, before = len(publisher.held), seen
                assert seen - before <= 100
        publisher.release()

    async def scenario() -> None:
        async with running(publisher=publisher) as bridge:
            body = jsonl(*({"text": "a"} for _ in range(1_500)))
            response, _ = await asyncio.gather(post(bridge, body), watched())
            assert response.status_code == 200

    asyncio.run(scenario())


def test_more_batches_than_fit_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_UNDER_WAY", 1)
    publisher = HeldPublisher(memory_cluster().broker().publisher())

    async def scenario() -> None:
        async with running(publisher=publisher) as bridge:

            async def refused() -> None:
                await until(lambda: publisher.held)
                response = await post(bridge, jsonl({"id": "2", "text": "b"}))
                assert (response.status_code, response.headers["retry-after"]) == (429, "1")
                assert "1 batches are under way; nothing was published" in response.json()["detail"]
                publisher.release()

            first, _ = await asyncio.gather(post(bridge, jsonl({"id": "1", "text": "a"})), refused())
            assert first.status_code == 200
            assert (await post(bridge, b"{")).status_code == 207
            assert (await post(bridge, b"x", **{"content-type": "text/plain"})).status_code == 415
            assert (await post(bridge, jsonl({"id": "2", "text": "b"}))).status_code == 200

    asyncio.run(scenario())


def test_lines_over_the_rate_are_told() -> None:
    async def scenario() -> None:
        async with running(rate="2/hour") as bridge:
            answers = lines(await post(bridge, jsonl(*({"text": "a"} for _ in range(3)))))
            assert [answer["status"] for answer in answers] == [202, 202, 429]

    asyncio.run(scenario())


def test_what_is_too_large_is_refused_whole() -> None:
    async def scenario() -> None:
        async with running(max_batch=100_000) as bridge:
            for body in (b" " * 100_001, b"\n" * (batch.MAX_LINES + 1), b"\n" * batch.MAX_LINES + b"x"):
                response = await post(bridge, body)
                assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
            assert (await post(bridge, b"\n" * batch.MAX_LINES)).status_code == 200
            assert (await post(bridge, b"\n" * (batch.MAX_LINES - 1) + b"x")).status_code == 207

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_lines_are_sent_as_lines(kind: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            response = await post(bridge, b"[]", **{"content-type": kind})
            assert response.status_code == 415
            assert "application/x-ndjson or application/jsonl" in response.json()["detail"]
            assert (await bridge.client.get("/webhook/tts/batch")).status_code == 405

    asyncio.run(scenario())
