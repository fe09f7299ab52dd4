from __future__ import annotations

import asyncio

import httpx
import msgspec
import pytest

from streamer.bridge.probes import Probe
from streamer.clock import SystemClock
from streamer.errors import Retriable
from streamer.kafka.base import headers_of
from streamer.records import Event, SpeechRequest
from streamer.store.memory import MemoryStore
from streamer.submission import is_traceparent
from tests.bridge.running import AUDIO, NOW, HeldPublisher, LostStore, decide, memory_cluster, running, until

HELLO = {"source": "shop", "id": "1", "text": "hello"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KIND = "application/problem+json"


def test_accepted_means_that_the_topic_has_it() -> None:
    async def scenario() -> None:
        async with running() as bridge:
            response = await bridge.post(HELLO, headers={"traceparent": TRACE})
            assert (response.status_code, response.json()) == (202, {"status": "accepted", "task_id": "1"})
            [record] = bridge.records
            assert record.key == b"shop/1"
            assert headers_of(record) == {"task-id": b"1", "traceparent": TRACE.encode()}
            assert bridge.requests == [SpeechRequest(source="shop", id="1", text="hello", requested_at=int(NOW * 1000))]
            assert bridge.counted("accepted") == 1

    asyncio.run(scenario())


def test_every_field_arrives() -> None:
    body = {
        "id": "7",
        "event": {"type": "order.paid", "data": {"b": 1, "a": "二"}},
        "voice": "vip",
        "format": "wav",
        "sample_rate": 8_000,
        "seed": 5,
        "phoneme": True,
        "output_name": "a.wav",
        "metadata": {"k": "v"},
        "callback": "https://example.org/done",
        "expires_at": "2026-01-31T00:00:00Z",
        "requested_at": 5,
    }

    async def scenario() -> None:
        async with running() as bridge:
            assert (await bridge.post(body)).status_code == 202
            changes = {"event": Event(type="order.paid", data='{"a":"二","b":1}'), "expires_at": 1_769_817_600_000}
            expected = msgspec.convert({"source": "webhook", **body, "event": None, "expires_at": 0}, SpeechRequest)
            assert bridge.requests == [msgspec.structs.replace(expected, **changes)]

    asyncio.run(scenario())


@pytest.mark.parametrize("sent", [None, "", "garbage", TRACE.replace("0af7", "0AF7"), TRACE + "-x", "0" * 5_000])
def test_without_a_valid_trace_one_begins(sent: str | None) -> None:
    async def scenario() -> None:
        async with running() as bridge:
            await bridge.post({"text": "hello"}, headers={} if sent is None else {"traceparent": sent})
            trace = headers_of(bridge.records[0])["traceparent"].decode()
            assert trace != sent
            assert is_traceparent(trace)
            assert trace.endswith("-01")

    asyncio.run(scenario())


def test_an_id_is_made_and_named() -> None:
    async def scenario() -> None:
        async with running() as bridge:
            answers = [(await bridge.post({"text": "hello"})).json()["task_id"] for _ in range(2)]
            assert answers == ["made-1", "made-2"]
            assert sorted(request.id for request in bridge.requests) == answers

    asyncio.run(scenario())


@pytest.mark.parametrize("failed", [False, True])
def test_a_finished_id_is_skipped(failed: bool) -> None:
    store = MemoryStore()
    decide(store, SpeechRequest(source="shop", id="1", text="hello"), failed=failed)

    async def scenario() -> None:
        async with running(store=store) as bridge:
            response = await bridge.post({**HELLO, "metadata": {"which": "is no part of it"}})
            state = {"state": "failed", "audio": None, "link": None, "code": "expired", "message": "too late"}
            if not failed:
                state = {"state": "completed", "audio": AUDIO.uri, "link": "/jobs/1/audio?source=shop"}
                state |= {"code": None, "message": None}
            body = {"status": "skipped", "reason": "already exists", "task_id": "1", **state}
            assert (response.status_code, response.json()) == (200, body)
            assert bridge.records == []

    asyncio.run(scenario())


def test_the_last_generation_counts() -> None:
    store = MemoryStore()
    request = SpeechRequest(source="shop", id="1", text="hello")
    decide(store, request, failed=True)
    decide(store, request, generation=2)

    async def scenario() -> None:
        async with running(store=store) as bridge:
            assert (await bridge.post(HELLO)).json()["state"] == "completed"

    asyncio.run(scenario())


def test_a_finished_id_with_another_request_conflicts() -> None:
    store = MemoryStore()
    decide(store, SpeechRequest(source="shop", id="1", text="hello"))

    async def scenario() -> None:
        async with running(store=store) as bridge:
            response = await bridge.post({**HELLO, "text": "other"})
            assert response.status_code == 409
            assert response.headers["content-type"] == KIND
            assert response.json()["code"] == "id_conflict"
            assert response.json()["task_id"] == "1"
            assert bridge.records == []
            assert (await bridge.post({**HELLO, "source": "other", "text": "other"})).status_code == 202

    asyncio.run(scenario())


def test_concurrent_posts_of_one_id_are_one_record() -> None:
    cluster = memory_cluster()
    publisher = HeldPublisher(cluster.broker().publisher())

    async def scenario() -> None:
        async with running(cluster=cluster, publisher=publisher) as bridge:
            posts = [asyncio.create_task(bridge.post(HELLO)) for _ in range(5)]
            await until(lambda: len(publisher.held) == 1)
            assert (await bridge.post({**HELLO, "text": "other"})).status_code == 409
            posts[0].cancel()  # a client that leaves takes nobody with it, the first one either
            publisher.release()
            answers = await asyncio.gather(*posts, return_exceptions=True)
            assert isinstance(answers[0], asyncio.CancelledError)
            assert [isinstance(a, httpx.Response) and a.status_code for a in answers[1:]] == [202] * 4
            assert len(bridge.records) == 1

    asyncio.run(scenario())


def test_no_answer_of_kafka_is_unknown_and_the_id_may_come_again() -> None:
    cluster = memory_cluster()
    publisher = HeldPublisher(cluster.broker().publisher())

    async def scenario() -> None:
        async with running(cluster=cluster, publisher=publisher, ack_timeout=0.2) as bridge:
            response = await bridge.post({"text": "hello"})
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            body = response.json()
            assert (body["code"], body["task_id"]) == ("unknown", "made-1")
            assert "unknown" in body["detail"]
            publisher.release()
            await until(lambda: len(bridge.records) == 1)  # it was taken after all
            again = await bridge.post({"text": "hello", "id": body["task_id"]})
            assert again.status_code == 202

    asyncio.run(scenario())


@pytest.mark.parametrize("where", ["publish", "delivery"])
def test_a_refusal_of_kafka_is_unknown(where: str) -> None:
    cluster = memory_cluster()
    publisher = HeldPublisher(cluster.broker().publisher())
    publisher.release()
    setattr(publisher, "refusal" if where == "publish" else "error", Retriable("queue full"))

    async def scenario() -> None:
        async with running(cluster=cluster, publisher=publisher) as bridge:
            response = await bridge.post(HELLO)
            assert response.status_code == 503
            assert "queue full" in response.json()["detail"]
            assert bridge.counted("unknown") == 1

    asyncio.run(scenario())


def test_a_store_that_is_down_or_hangs_is_unknown() -> None:
    store = LostStore()

    async def scenario() -> None:
        async with running(store=store, ack_timeout=0.3) as bridge:
            store.down = True
            response = await bridge.post(HELLO)
            assert response.status_code == 503
            assert "the disk is gone" in response.json()["detail"]
            store.down, store.hanging = False, True
            response = await bridge.post(HELLO)
            assert response.status_code == 503
            assert "the store did not answer" in response.json()["detail"]
            assert bridge.records == []
            store.hanging = False
            store.back.set()
            assert (await bridge.post(HELLO)).status_code == 202
            assert len(bridge.records) == 1  # the request given up before was not published behind the sender's back

    asyncio.run(scenario())


def test_health_readiness_and_metrics() -> None:
    class Clock(SystemClock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    clock, trouble = Clock(), ""

    def ask() -> None:
        if trouble:
            raise Retriable(trouble)

    async def scenario() -> None:
        nonlocal trouble
        probes = [Probe("kafka", ask, clock), Probe("store", lambda: None, clock)]
        async with running(probes=probes) as bridge:
            assert (await bridge.client.get("/healthz")).status_code == 200
            response = await bridge.client.get("/readyz")
            assert response.status_code == 503
            assert "not asked yet" in response.json()["kafka"]
            for probe in probes:
                probe.start()
            await until(lambda: all(probe.problem is None for probe in probes))
            response = await bridge.client.get("/readyz")
            assert (response.status_code, response.json()["status"]) == (200, "ready")
            trouble = "no broker"
            await until(lambda: probes[0].problem is not None)
            response = await bridge.client.get("/readyz")
            assert (response.status_code, response.json()["kafka"]) == (503, "no broker")
            assert response.json()["store"] == "ok"
            for probe in probes:
                probe.close()
            clock.ahead = 100.0
            assert "has not answered for 10" in (await bridge.client.get("/readyz")).json()["store"]
            clock.ahead, bridge.app.draining = 0.0, True
            response = await bridge.client.get("/readyz")
            assert (response.status_code, response.json()["status"]) == (503, "draining")
            exposition = await bridge.client.get("/metrics")
            assert 'streamer_bridge_requests_total{outcome="accepted"} 0.0' in exposition.text

    asyncio.run(scenario())


def test_a_fault_of_ours_is_a_problem_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = memory_cluster()
    publisher = HeldPublisher(cluster.broker().publisher())
    publisher.refusal = ZeroDivisionError("a fault")

    async def scenario() -> None:
        async with running(cluster=cluster, publisher=publisher, ack_timeout=0.2) as bridge:
            response = await bridge.post({"text": "hello"})
            assert (response.status_code, response.json()["code"]) == (500, "internal_error")
            assert "a fault" not in response.text
            assert bridge.counted("error") == 1
            assert (await bridge.post({"text": "hello"})).status_code == 500

    asyncio.run(scenario())
    assert "ZeroDivisionError: a fault" in capsys.readouterr().err
