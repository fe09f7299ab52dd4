"""The shipped worker speaks the request topic, and then the shipped replay verifies it, in one process on one store."""

from __future__ import annotations

import json
import sys
import time
import uuid

from prometheus_client import Counter

from benchmarks.pipeline.setup import PARTITIONS
from benchmarks.shipped import configured, surroundings
from streamer.kafka.base import Partition
from streamer.store.memory import MemoryStore
from streamer.worker.assembly import Surroundings, assemble, assemble_replay
from streamer.worker.initialise import initialise
from streamer.worker.loop import Worker
from streamer.worker.replay.run import Mode, Range, Run
from streamer.worker.running import run
from streamer.worker.start import Allowed


class Stretch:
    """From the first record that was received to the last one that was committed."""

    def __init__(self, received: Counter, ended: Counter, records: int) -> None:
        self._received, self._ended = received, ended
        self._before, self._goal = received._value.get(), records
        self._began = 0.0
        self.seconds = 0.0

    def over(self) -> bool:
        """Asked before every turn."""
        now = time.perf_counter()
        if not self._began and self._received._value.get() > self._before:
            self._began = now
        if self._ended._value.get() >= self._goal:
            self.seconds = now - self._began
        return bool(self.seconds)


def timed(around: Surroundings, worker: Worker, topic: str, ended: Counter, records: int) -> float:
    """Records a second."""
    stretch = Stretch(around.metrics.received, ended, records)
    run(worker, topic, stretch.over, lambda: None, clock=around.clock, drain_timeout=10, log=around.log)
    return records / stretch.seconds


def main(servers: str, records: int, name: str) -> None:
    settings, store = configured(servers, name), MemoryStore()
    around = surroundings(settings, store)
    admin, topic, results = around.broker.admin(), settings.kafka.topics.requests, around.metrics.results
    initialise(admin, store, settings, uuid.uuid4())
    worker = assemble(around, settings, name, Allowed())
    rates = {"worker": timed(around, worker, topic, results.labels("completed", "ok"), records)}
    ends = admin.ends([Partition(topic, number) for number in range(PARTITIONS)], 10)
    for mode in (Mode.VERIFY, Mode.REGENERATE):
        given = Run(
            name=str(mode),
            number=1,
            mode=mode,
            asked="",
            ranges={partition.number: Range(0, end) for partition, end in ends.items()},
            replayed_from={},
            created_at=0,
        )
        identical = results.labels("replayed", "identical")
        identical._value.set(0)
        rates[str(mode)] = timed(around, assemble_replay(around, settings, given, name), topic, identical, records)
    print(json.dumps(rates), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
