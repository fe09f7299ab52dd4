from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest

from tests.bridge.running import running

HELLO = {"source": "shop", "id": "1", "text": "hello"}
KIND = "application/problem+json"
WORD = "s3cret"


@pytest.mark.parametrize(
    ("content", "detail", "field"),
    [
        (b'{"text": "a", }', "byte 14", "body"),
        (b"", "is not JSON", "body"),
        (b"[]", "expected `object`", "body"),
        (b'{"text": 5}', "got `int`", "text"),
        (b'{"metadata": {"a": 1}}', "got `int`", "metadata[...]"),
        (b'{"text": "a", "colour": 1}', "no field of a request", "colour"),
        (b'{"event": {"type": "t", "data": [1]}}', "JSON object", "event.data"),
    ],
)
def test_malformed_bodies(content: bytes, detail: str, field: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            response = await bridge.post(content=content, headers={"content-type": "application/json"})
            assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
            [error] = response.json()["errors"]
            assert error["field"] == field
            assert detail in error["message"]

    asyncio.run(scenario())


def test_an_invalid_request_names_all_fields() -> None:
    body = {"source": "", "id": "a\nb", "text": " ", "format": "x", "sample_rate": 1, "output_name": "../a"}

    async def scenario() -> None:
        async with running() as bridge:
            response = await bridge.post(body)
            assert response.status_code == 422
            assert response.headers["content-type"] == KIND
            problem = response.json()
            assert (problem["status"], problem["title"], problem["code"]) == (
                422,
                HTTPStatus.UNPROCESSABLE_ENTITY.phrase,  # another one from Python 3.13 on
                "invalid_request",
            )
            assert [error["field"] for error in problem["errors"]] == list(body)
            assert bridge.counted("refused") == 1

    asyncio.run(scenario())


def test_other_content_is_refused() -> None:
    async def scenario() -> None:
        async with running() as bridge:
            for headers in (
                {"content-type": "text/plain"},
                {},
                {"content-type": "application/json", "content-encoding": "gzip"},
            ):
                response = await bridge.post(content=json.dumps(HELLO).encode(), headers=headers)
                assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
            kind = {"content-type": "Application/JSON; charset=utf-8"}
            assert (await bridge.post(content=json.dumps(HELLO).encode(), headers=kind)).status_code == 202

    asyncio.run(scenario())


def test_a_large_body_is_refused_announced_or_not() -> None:
    async def chunks() -> Any:
        for _ in range(10):
            yield b" " * 50

    async def scenario() -> None:
        async with running(max_body=200) as bridge:
            kind = {"content-type": "application/json"}
            bodies: list[tuple[Any, dict[str, str]]] = [
                (b" " * 201, kind),
                (chunks(), kind),
                (b"", {**kind, "content-length": "9" * 6_000}),
            ]
            for content, headers in bodies:
                response = await bridge.post(content=content, headers=headers)
                assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
                assert response.headers["connection"] == "close"
            body = json.dumps(HELLO).encode()
            assert (await bridge.post(content=body + b" " * (200 - len(body)), headers=kind)).status_code == 202

    asyncio.run(scenario())


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.bridge.gate._BODY_TIMEOUT", 0.05)
    never = asyncio.Event()

    async def chunks() -> Any:
        yield b"{"
        await never.wait()

    async def scenario() -> None:
        async with running() as bridge:
            response = await bridge.post(content=chunks(), headers={"content-type": "application/json"})
            assert (response.status_code, response.json()["code"]) == (408, "body_timeout")
            assert response.headers["connection"] == "close"

    asyncio.run(scenario())


def test_a_request_that_no_record_takes_is_refused() -> None:
    async def scenario() -> None:
        async with running(max_bytes=10_000) as bridge:
            response = await bridge.post({**HELLO, "text": "语" * 3_000})
            assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
            assert bridge.records == []

    asyncio.run(scenario())


def test_the_token() -> None:
    async def scenario() -> None:
        async with running(token=WORD) as bridge:
            for headers in ({}, {"x-webhook-token": "wrong"}, {"x-webhook-token": ""}):
                response = await bridge.post(HELLO, headers=headers)
                assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
            assert (await bridge.post(HELLO, headers={"X-Webhook-Token": WORD})).status_code == 202
            assert len(bridge.records) == 1

    asyncio.run(scenario())


def test_other_paths_and_methods() -> None:
    async def scenario() -> None:
        async with running() as bridge:
            for method, path, status in (
                ("GET", "/webhook/tts", 405),
                ("POST", "/healthz", 405),
                ("GET", "/", 404),
                ("POST", "/webhook/tts/", 404),
            ):
                response = await bridge.client.request(method, path)
                assert (response.status_code, response.headers["content-type"]) == (status, KIND)
                assert ("allow" in response.headers) == (status == 405)

    asyncio.run(scenario())
