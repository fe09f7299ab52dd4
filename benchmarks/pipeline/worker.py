"""The shipped worker with an engine that costs nothing and a memory store that forgets its oldest objects."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import deque
from itertools import count
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from benchmarks.pipeline.setup import PARTITIONS
from streamer.clock import SystemClock
from streamer.engines.base import Failure, Profile, Speech, Ticket, Utterance
from streamer.kafka.base import Partition
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.render.events import Events
from streamer.settings import load
from streamer.store.memory import MemoryStore
from streamer.voices import Voices
from streamer.wire.opening import open_codecs
from streamer.worker.assembly import Surroundings, assemble
from streamer.worker.initialise import initialise
from streamer.worker.liveness import Liveness
from streamer.worker.pool import ThreadPool
from streamer.worker.running import run
from streamer.worker.start import Allowed
from streamer.worker.synthesis import EngineThread

_KEPT = 20_000
_FRAMES = 2_400


class FreeEngine:
    """0.1 s of PCM for whatever is asked, at once."""

    def __init__(self) -> None:
        self.profile = Profile(name="free", revision="1", sample_rate=24_000, capacity=2_000_000, step_limit=10)
        self._samples = np.arange(_FRAMES, dtype=np.int16)
        self._tickets = count()
        self._ready: list[Speech | Failure] = []

    def submit(self, utterance: Utterance) -> Ticket:
        ticket = Ticket(next(self._tickets))
        self._ready.append(Speech(ticket, self._samples))
        return ticket

    def step(self) -> list[Speech | Failure]:
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, ticket: Ticket) -> None:
        """Nothing is ever waiting."""

    def close(self) -> None:
        """Nothing is held."""


class ForgettingStore(MemoryStore):
    """The memory store, bounded."""

    def __init__(self) -> None:
        super().__init__()
        self._order: deque[str] = deque()

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        written = super().put(key, data)
        self._note(key)
        return written

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        super().replace(key, data)
        self._note(key)

    def _note(self, key: str) -> None:
        if "/" in key and not key.startswith(("store/", "groups/")):
            self._order.append(key)
            if len(self._order) > _KEPT:
                self.delete(self._order.popleft())


def rss() -> int:
    """Bytes resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main(servers: str, records: int, name: str) -> None:
    base = load(None)
    settings = base.model_copy(
        update={
            "kafka": base.kafka.model_copy(update={"bootstrap_servers": servers, "group": name, "single_broker": True}),
            "log": base.log.model_copy(update={"level": "warning"}),
        }
    )
    clock, log, store = SystemClock(), logger("warning"), ForgettingStore()
    broker = ConfluentBroker(settings.kafka, log)
    initialise(broker.admin(), store, settings, uuid.uuid4())
    voices, metrics = Voices.load(settings.voices.file), Metrics(CollectorRegistry())
    around = Surroundings(
        broker=broker,
        store=store,
        engine=EngineThread(FreeEngine, clock).start(),
        pool=ThreadPool(1, clock, metrics.store_seconds),  # nothing here waits for a disk
        codecs=open_codecs(settings, clock, "completed", "failed"),
        voices=voices,
        events=Events.load(settings.events.file, voices),
        clock=clock,
        log=log,
        metrics=metrics,
        liveness=Liveness(clock),
    )
    worker = assemble(around, settings, name, Allowed())
    results = around.metrics.results.labels("completed", "ok")._value
    received = around.metrics.received._value
    started, ended, early = 0.0, 0.0, 0

    def enough() -> bool:
        """Asked before every turn."""
        nonlocal started, ended, early
        now, done = time.perf_counter(), results.get()
        if not started and received.get():
            started = now
        if not early and done >= 100_000:
            early = rss()
        if done >= records:
            ended = now
        return bool(ended)

    run(worker, settings.kafka.topics.requests, enough, lambda: None, clock=clock, drain_timeout=10, log=log)
    late = rss()
    partitions = [Partition(settings.kafka.topics.requests, number) for number in range(PARTITIONS)]
    commits = broker.admin().commits(name, partitions, 10)
    if sum(commit.offset for commit in commits.values() if commit) != records:
        sys.exit(f"not everything was committed: {commits}")
    print(
        json.dumps({"records": records, "seconds": ended - started, "rss_at_100000": early, "rss_at_end": late}),
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
