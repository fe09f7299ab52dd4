"""`streamer bridge` as it is shipped, with a publisher that acknowledges at its next poll instead of a Kafka."""

from __future__ import annotations

import os
import sys
import threading
import uuid

from prometheus_client import CollectorRegistry

from streamer.bridge import serving
from streamer.clock import SystemClock
from streamer.kafka.base import Delivered, Message
from streamer.kafka.memory import MemoryCluster
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.settings import load
from streamer.store.opening import open_store
from streamer.submission import Submissions


class Acknowledging:
    """See kafka.base.Publisher."""

    def __init__(self) -> None:
        self._waiting: list[Delivered] = []
        self._some = threading.Event()

    def publish(self, message: Message, delivered: Delivered) -> None:
        self._waiting.append(delivered)
        self._some.set()

    def poll(self, timeout: float) -> int:
        self._some.wait(timeout)
        self._some.clear()
        waiting, self._waiting = self._waiting, []
        for delivered in waiting:
            delivered(None)
        return len(waiting)

    def flush(self, timeout: float) -> int:
        self.poll(0)
        return 0

    def close(self) -> None:
        """Nothing is held."""


def main() -> int:
    settings, clock = load(None), SystemClock()
    cluster = MemoryCluster(clock)
    cluster.create_topic(settings.kafka.topics.requests, 3)
    bound = serving.listen(settings)
    parts = serving.Parts(
        settings,
        publisher=Acknowledging(),
        admin=cluster.broker().admin(),
        store=open_store(settings.store),
        submissions=Submissions(settings.kafka.topics.requests, clock, lambda: str(uuid.uuid4()), os.urandom),
        metrics=Metrics(CollectorRegistry()),
        clock=clock,
        log=logger("warning"),
    )
    return serving.serve(parts, bound, lambda: print(f"ready {serving.url(bound)}", flush=True))


if __name__ == "__main__":
    sys.exit(main())
