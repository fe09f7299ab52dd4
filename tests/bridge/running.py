"""A bridge within the test's own loop, on the twins in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from prometheus_client import CollectorRegistry

from streamer.bridge.app import App
from streamer.bridge.core import Bridge
from streamer.bridge.lookups import Lookups
from streamer.bridge.openapi import document
from streamer.bridge.probes import Probe
from streamer.bridge.publishing import Publishing
from streamer.bridge.rates import Rate
from streamer.bridge.threads import Threads
from streamer.clock import Clock, SystemClock
from streamer.errors import StoreUnavailable
from streamer.identity import Identity, Owner, fingerprint
from streamer.kafka.base import Delivered, Message, Publisher, Record
from streamer.kafka.memory import MemoryCluster
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.records import Audio, SpeechRequest, Timings
from streamer.settings import Bridge as BridgeSettings
from streamer.store.base import Store
from streamer.store.memory import MemoryStore
from streamer.store.verdicts import Completed, Failed, Recipe, Verdict, Verdicts
from streamer.submission import Submissions
from streamer.wire import avro
from tests.bridge.conformance import Conformance

TOPIC = "tts.requests"
NOW = 1_700_000_000.0


class StoppedClock(SystemClock):
    """The same moment always; intervals pass."""

    def now(self) -> float:
        return NOW


class HeldPublisher:
    """A publisher whose acks come when the test says so, or never; `refusal` is raised by `publish`."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner
        self._open = threading.Event()
        self._held: list[tuple[Message, Delivered]] = []
        self.refusal: Exception | None = None
        self.error: Exception | None = None

    @property
    def held(self) -> list[Message]:
        return [message for message, _ in self._held]

    def release(self) -> None:
        self._open.set()

    def publish(self, message: Message, delivered: Delivered) -> None:
        if self.refusal is not None:
            raise self.refusal
        self._held.append((message, delivered))

    def poll(self, timeout: float) -> int:
        if not self._open.wait(timeout):
            return 0
        held, self._held = self._held, []
        for message, delivered in held:
            if self.error is not None:
                delivered(self.error)
            else:
                self._inner.publish(message, delivered)
        return self._inner.poll(0.01) + len(held)

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self._held)

    def close(self) -> None:
        self._inner.close()


class LostStore(MemoryStore):
    """Down, or hanging until `back` is set; `lost_parts`: down for reading parts of objects only."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.hanging = False
        self.lost_parts = False
        self.back = threading.Event()

    def absent(self, key: str) -> bool:
        return False  # as a store that is reached over a network

    def get(self, key: str) -> bytes | None:
        if self.hanging:
            self.back.wait()
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return super().get(key)

    def read(self, key: str, start: int, stop: int) -> bytes:
        if self.lost_parts:
            raise StoreUnavailable("the disk is gone")
        return super().read(key, start, stop)


class Running:
    """The client, and what is behind the bridge. Every answer is held against /openapi.json."""

    def __init__(
        self, client: httpx.AsyncClient, app: App, cluster: MemoryCluster, metrics: Metrics, conformance: Conformance
    ) -> None:
        self.client, self.app, self.cluster, self.metrics = client, app, cluster, metrics
        self.conformance = conformance

    async def post(self, body: Any = None, **arguments: Any) -> httpx.Response:
        if body is not None:
            arguments["json"] = body
        return await self.client.post("/webhook/tts", **arguments)

    async def raw(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """With the path as it stands, which the client would mend."""
        url = httpx.URL("http://bridge").copy_with(raw_path=path.encode())
        return await self.client.send(self.client.build_request(method, url, **arguments))

    @property
    def records(self) -> list[Record]:
        return [record for log in self.cluster.logs(TOPIC) for record in log.read(log.low, 1_000)[0]]

    @property
    def requests(self) -> list[SpeechRequest]:
        return [avro.requests().decode(record.value) for record in self.records]

    def counted(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value("streamer_bridge_requests_total", {"outcome": outcome})


def memory_cluster() -> MemoryCluster:
    cluster = MemoryCluster(SystemClock())
    cluster.create_topic(TOPIC, 3)
    return cluster


@asynccontextmanager
async def running(
    *,
    cluster: MemoryCluster | None = None,
    publisher: Publisher | None = None,
    store: Store | None = None,
    probes: Sequence[Probe] = (),
    token: str = "",
    ack_timeout: float = 20.0,
    max_body: int = 1_000_000,
    max_batch: int = 10_000_000,
    max_bytes: int = 1_048_588,
    max_pending: int = 10_000,
    rate: str = "",
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    cluster = cluster or memory_cluster()
    metrics, log = Metrics(CollectorRegistry()), logger("error")
    numbers = iter(range(1, 1_000_000))
    publishing = Publishing(publisher or cluster.broker().publisher())
    store = MemoryStore() if store is None else store
    lookups, threads = Lookups(Verdicts(store), threads=2), Threads("download", 2)
    bridge = Bridge(
        Submissions(TOPIC, StoppedClock(), lambda: f"made-{next(numbers)}", os.urandom),
        publishing,
        lookups,
        ack_timeout=ack_timeout,
        max_bytes=max_bytes,
        max_pending=max_pending,
        rate=Rate(rate, clock or SystemClock()) if rate else None,
        metrics=metrics,
        log=log,
    )
    # Not validated: tests wait longer than senders should.
    chosen = {"token": token, "max_body": max_body, "max_batch": max_batch, "ack_timeout": ack_timeout}
    settings = BridgeSettings().model_copy(update=chosen)
    app = App(bridge, lookups, threads, store, probes, settings, metrics, log)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    conformance = Conformance(document(settings))
    hooks = {"response": [conformance.check]}
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge", event_hooks=hooks) as client:
        try:
            yield Running(client, app, cluster, metrics, conformance)
        finally:
            lookups.close()
            threads.close()
            await publishing.close(1.0)


OWNER = Owner(cluster="memory", topic="t", partition=0, offset=0)
RECIPE = Recipe(text="t", voice="v", voice_hash="h", engine="tone", revision="1", seed=0)
AUDIO = Audio(
    uri="file:///a.wav", format="wav", sample_rate=24_000, frames=1, duration=0.1, bytes=2, sha256="s", pcm_sha256="p"
)


def decide(
    store: Store,
    request: SpeechRequest,
    *,
    failed: bool = False,
    generation: int = 1,
    audio: Audio = AUDIO,
    run: str = "",
) -> None:
    """Put a verdict, as a worker would, or as the replay `run`."""
    timings = Timings(queued=0, synthesis=0, durable=0)
    completed = Completed(audio=audio, recipe=RECIPE, timings=timings, output_name=request.output_name)
    Verdicts(store).settle(
        Verdict(
            identity=Identity(request.source, request.id),
            generation=generation,
            owner=OWNER,
            fingerprint=fingerprint(request),
            state=Failed(code="expired", message="too late", attempts=1) if failed else completed,
            decided_at=5,
            run=run,
        )
    )


def speak(store: Store, request: SpeechRequest, data: bytes, extension: str = "wav") -> Audio:
    """Put audio and its verdict, as a worker would."""
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"{Identity(request.source, request.id).folder}/{sha256}.{extension}"
    store.put(key, data)
    audio = msgspec.structs.replace(AUDIO, uri=store.uri(key), sha256=sha256, bytes=len(data))
    decide(store, request, audio=audio)
    return audio


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)
