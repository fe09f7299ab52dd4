from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from streamer.records import Event, Prompt
from tests.bridge.running import Running, running

PAID = {"type": "order.paid", "data": {"amount": 1.5}}


async def post(bridge: Running, source: str, body: Any) -> httpx.Response:
    return await bridge.client.post(f"/webhook/events/{source}", json=body)


def test_the_names_of_glm_tts_are_taken() -> None:
    body = {"id": "1", "input_text": "hello", "prompt_audio": "file:///a.wav", "prompt_text": "there"}

    async def scenario() -> None:
        async with running() as bridge:
            assert (await bridge.post(body)).status_code == 202
            [request] = bridge.requests
            assert request.text == "hello"
            assert request.prompt == Prompt(prompt_audio="file:///a.wav", prompt_text="there")
            both = await bridge.post({**body, "text": "hello"})
            assert both.status_code == 400
            assert [error["field"] for error in both.json()["errors"]] == ["text", "input_text"]

    asyncio.run(scenario())


def test_an_event_is_published_as_it_is_whatever_its_type() -> None:
    body = {**PAID, "id": "7", "voice": "vip", "metadata": {"k": "v"}, "output_name": "a.wav"}

    async def scenario() -> None:
        async with running() as bridge:
            response = await post(bridge, "%E5%95%86%2Fshop", body)
            assert (response.status_code, response.json()["task_id"]) == (202, "7")
            assert (await post(bridge, "shop", {"type": "never heard of", "data": {}})).status_code == 202
            first = next(request for request in bridge.requests if request.id == "7")
            assert (first.source, first.text, first.voice) == ("商/shop", None, "vip")
            assert first.event == Event(type="order.paid", data='{"amount":1.5}')
            assert bridge.counted("accepted") == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("source", "body", "status", "field"),
    [
        ("", PAID, 422, "source"),
        ("a%00", PAID, 422, "source"),
        ("s" * 201, PAID, 422, "source"),
        ("%ff", PAID, 400, "source"),
        ("shop", {**PAID, "type": ""}, 422, "event.type"),
        ("shop", {"type": "order.paid"}, 400, "data"),
        ("shop", {**PAID, "data": []}, 400, "data"),
        ("shop", {**PAID, "text": "a"}, 400, "text"),
    ],
)
def test_what_is_no_event_is_refused(source: str, body: Any, status: int, field: str) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            response = await post(bridge, source, body)
            assert response.status_code == status
            assert [error["field"] for error in response.json()["errors"]] == [field]
            assert bridge.records == []

    asyncio.run(scenario())
