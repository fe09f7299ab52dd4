from __future__ import annotations

import asyncio

import pytest

from streamer.bridge.rates import Rate, parsed
from streamer.clock import SystemClock
from streamer.errors import ConfigurationError
from tests.bridge.running import HeldPublisher, memory_cluster, running, until


@pytest.mark.parametrize("rate", ["many", "0/second", "-1/second", "10", "10/fortnight"])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ConfigurationError, match=r"bridge\.rate"):
        parsed(rate)


def test_each_source_is_counted_by_itself() -> None:
    rate = Rate("2/hour", SystemClock())
    assert [rate.exceeded("a") for _ in range(2)] == [None, None]
    wait = rate.exceeded("a")
    assert wait is not None
    assert 3_590 <= wait <= 3_600
    assert rate.exceeded("b") is None


def test_a_source_over_its_rate_is_told_when_to_come_again_and_nothing_is_published() -> None:
    async def scenario() -> None:
        async with running(rate="2/hour") as bridge:
            answers = [await bridge.post({"source": "shop", "id": str(n), "text": "a"}) for n in range(3)]
            assert [answer.status_code for answer in answers] == [202, 202, 429]
            problem = answers[2].json()
            assert problem["code"] == "too_many_requests"
            assert "nothing was published" in problem["detail"]
            assert 3_590 <= int(answers[2].headers["retry-after"]) <= 3_600
            assert len(bridge.records) == 2
            assert bridge.counted("limited") == 1
            assert (await bridge.post({"source": "other", "id": "2", "text": "a"})).status_code == 202
            assert (await bridge.post({"source": "shop", "text": " "})).status_code == 422  # costs nothing

    asyncio.run(scenario())


def test_too_many_on_their_way_are_told_to_come_again() -> None:
    cluster = memory_cluster()
    publisher = HeldPublisher(cluster.broker().publisher())

    async def scenario() -> None:
        async with running(cluster=cluster, publisher=publisher, max_pending=2) as bridge:
            posts = [asyncio.create_task(bridge.post({"id": str(n), "text": "a"})) for n in range(2)]
            await until(lambda: len(publisher.held) == 2)
            refused = await bridge.post({"id": "2", "text": "a"})
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert "bridge.max_pending" in refused.json()["detail"]
            joined = asyncio.create_task(bridge.post({"id": "1", "text": "a"}))  # one that is on its way takes no room
            await asyncio.sleep(0)
            publisher.release()
            assert [(await post).status_code for post in [*posts, joined]] == [202] * 3
            assert len(bridge.records) == 2
            assert (await bridge.post({"id": "2", "text": "a"})).status_code == 202

    asyncio.run(scenario())
