"""Whoever writes to the request topic: producers, senders whose transaction is aborted, and a redrive."""

from __future__ import annotations

import random
from collections.abc import Callable

from streamer.kafka.base import Broker, Partition
from streamer.kafka.memory import MemoryCluster
from tests.simulation.faults import Striker
from tests.simulation.topics import Topics
from tests.simulation.workload import EVENTS, TOPIC, Published, Sent, redrive

_REDRIVEN = {"synthesis_failed": frozenset({"ok"}), "template_error": frozenset(EVENTS["broken"])}
"""Codes of failures that are sent back, and how they may end then."""


class Senders:
    """`unsent` is what is still to come, `published` what stands in the log."""

    def __init__(
        self,
        unsent: list[Sent],
        cluster: MemoryCluster,
        broker: Broker,
        topics: Topics,
        striker: Striker,
        busy: Callable[[], bool],
    ) -> None:
        """`busy`: whether a worker holds a record."""
        self.unsent = unsent
        self.published: list[Published] = []
        self._cluster, self._broker, self._topics, self._striker, self._busy = cluster, broker, topics, striker, busy
        self._redriven: set[tuple[str, str]] = set()

    @property
    def _rng(self) -> random.Random:
        return self._striker.rng

    def publish_next(self) -> None:
        if self.unsent:
            self.publish(self.unsent.pop())

    def publish(self, sent: Sent) -> None:
        log = self._cluster.log(Partition(TOPIC, sent.message.partition or 0))
        earlier = [p for p in self.published if sent.identity and p.sent.identity == sent.identity]
        if any(p.partition != log.partition.number for p in earlier) and self._busy():
            self._striker.seen.add("duplicate over partitions")
        self.published.append(Published(sent, log.partition.number, log.end))
        self._cluster.append(sent.message)

    def abort_something(self) -> None:
        """A transactional sender whose transaction is aborted leaves a gap and a marker."""
        producer = self._broker.producer("sender")
        producer.init(1)
        producer.begin()
        if self.published:
            producer.produce(self._rng.choice(self.published).sent.message)
        producer.abort(1)

    def redrive(self, cured: set[str]) -> None:
        """Send back what failed and can be cured, now and then twice."""
        failed = self._topics.failed()
        by_place = self.by_place()
        for failure in failed:
            key = (failure.source, failure.id)
            original = by_place[failure.position.partition, failure.position.offset]
            if failure.code not in _REDRIVEN or failure.generation > 1 or key in self._redriven:
                continue
            if failure.code == "synthesis_failed" and failure.code not in original.sent.expected:
                continue  # the engine failed a text that is none of its poisons
            self._redriven.add(key)
            if failure.code == "synthesis_failed":
                cured.add(original.sent.text)
            for _ in range(self._rng.choice([1, 1, 2])):
                self.publish(redrive(original, 1, _REDRIVEN[failure.code]))

    def by_place(self) -> dict[tuple[int, int], Published]:
        """By partition and offset."""
        return {(published.partition, published.offset): published for published in self.published}
