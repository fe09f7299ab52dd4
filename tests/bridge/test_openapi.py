from __future__ import annotations

import asyncio
import json

from streamer.bodies import RequestBody
from streamer.bridge.openapi import OPERATIONS, document
from streamer.formats import FORMATS
from streamer.settings import Bridge
from tests.bridge.running import running


def test_it_is_served_and_says_the_limits_of_this_bridge() -> None:
    async def scenario() -> None:
        async with running(max_body=1_234, max_batch=5_678, token="word") as bridge:  # noqa: S106
            served = (await bridge.client.get("/openapi.json")).json()
            assert served["openapi"] == "3.1.0"
            assert served["x-limits"]["max_body"] == 1_234
            assert "5678 bytes" in served["info"]["description"]
            webhook = served["paths"]["/webhook/tts"]["post"]
            assert webhook["security"] == [{"token": []}]
            assert "security" not in served["paths"]["/healthz"]["get"]

    asyncio.run(scenario())


def test_every_reference_leads_somewhere() -> None:
    described = document(Bridge())
    text = json.dumps(described)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= described["components"]["schemas"].keys()
    fields = described["components"]["schemas"]["RequestBody"]["properties"]
    assert list(fields) == list(RequestBody.__struct_fields__)
    assert fields["format"]["anyOf"][0]["enum"] == sorted(FORMATS)
    ids = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)


def test_a_body_without_anything_to_speak_is_no_request_there_either() -> None:
    described = document(Bridge())["components"]["schemas"]
    assert [one["required"] for one in described["RequestBody"]["anyOf"]] == [["text"], ["input_text"], ["event"]]
    assert described["SourceEventBody"]["required"] == ["type", "data"]
    assert described["SourceEventBody"]["properties"]["data"]["type"] == ["object", "string"]


def test_every_route_is_there_and_answers() -> None:
    """That nothing else is answered, in whatever test, is seen to by `running`."""

    async def scenario() -> None:
        async with running() as bridge:
            for path, method in OPERATIONS:
                at = path.replace("{id}", "1").replace("{source}", "shop")
                response = await bridge.client.request(method, at)
                assert response.status_code != 405
            assert {(path, method) for path, method, _ in bridge.conformance.seen} == set(OPERATIONS)

    asyncio.run(scenario())
