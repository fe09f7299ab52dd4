"""The shipped worker with an engine that costs nothing and a memory store that forgets its oldest objects."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import deque

from benchmarks.pipeline.setup import PARTITIONS
from benchmarks.shipped import configured, rss, surroundings
from streamer.kafka.base import Partition
from streamer.store.memory import MemoryStore
from streamer.worker.assembly import assemble
from streamer.worker.initialise import initialise
from streamer.worker.running import run
from streamer.worker.start import Allowed

_KEPT = 20_000


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


def main(servers: str, records: int, name: str) -> None:
    settings, store = configured(servers, name), ForgettingStore()
    around = surroundings(settings, store)
    admin = around.broker.admin()
    initialise(admin, store, settings, uuid.uuid4())
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

    run(
        worker,
        settings.kafka.topics.requests,
        enough,
        lambda: None,
        clock=around.clock,
        drain_timeout=10,
        log=around.log,
    )
    late = rss()
    partitions = [Partition(settings.kafka.topics.requests, number) for number in range(PARTITIONS)]
    commits = admin.commits(name, partitions, 10)
    if sum(commit.offset for commit in commits.values() if commit) != records:
        sys.exit(f"not everything was committed: {commits}")
    print(
        json.dumps({"records": records, "seconds": ended - started, "rss_at_100000": early, "rss_at_end": late}),
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
