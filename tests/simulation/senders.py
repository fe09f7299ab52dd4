"""Whoever writes to the request topic: producers, and senders whose transaction is aborted."""

from __future__ import annotations

import random
from collections.abc import Callable

from streamer.kafka.base import Broker, Partition
from streamer.kafka.memory import MemoryCluster
from tests.simulation.faults import Striker
from tests.simulation.workload import TOPIC, Published, Sent


class Senders:
    """`unsent` is what is still to come, `published` what stands in the log."""

    def __init__(
        self,
        unsent: list[Sent],
        cluster: MemoryCluster,
        broker: Broker,
        striker: Striker,
        busy: Callable[[], bool],
    ) -> None:
        """`busy`: whether a worker holds a record."""
        self.unsent = unsent
        self.published: list[Published] = []
        self._cluster, self._broker, self._striker, self._busy = cluster, broker, striker, busy

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

    def by_place(self) -> dict[tuple[int, int], Published]:
        """By partition and offset."""
        return {(published.partition, published.offset): published for published in self.published}
