"""The in-memory broker with an eye on it: which faults really struck a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamer.errors import MetadataTooLarge
from streamer.kafka.base import Commit, Consumer, GroupMetadata, Partition, Producer, RebalanceListener
from streamer.kafka.memory import MemoryCluster
from streamer.kafka.memory_clients import MemoryBroker, MemoryConsumer, MemoryProducer
from tests.simulation.faults import Striker


class _Listener:
    def __init__(self, inner: RebalanceListener, group: str, striker: Striker) -> None:
        self._inner, self._striker = inner, striker
        self._whose = " in a replay" if ".replay." in group else ""
        self._left_open: set[Partition] = set()

    def assigned(self, partitions: Sequence[Partition]) -> None:
        if self._left_open & set(partitions):
            self._striker.seen.add("tenure comes back")
        self._inner.assigned(partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self._note("rebalance", partitions)
        self._inner.revoked(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        self._note("lost", partitions)
        self._striker.interruptions += 1
        self._inner.lost(partitions)

    def _note(self, fault: str, partitions: Sequence[Partition]) -> None:
        self._striker.note(fault + self._whose)
        if self._striker.holding():
            self._left_open |= set(partitions)


class _Consumer(MemoryConsumer):
    def __init__(self, cluster: MemoryCluster, group: str, striker: Striker) -> None:
        super().__init__(cluster, group)
        self._group_name, self._striker = group, striker

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        super().subscribe(topics, _Listener(listener, self._group_name, self._striker))


class _Producer(MemoryProducer):
    def __init__(self, cluster: MemoryCluster, transactional_id: str, striker: Striker) -> None:
        super().__init__(cluster, transactional_id)
        self._striker = striker

    def send_offsets(self, offsets: Mapping[Partition, Commit], group: GroupMetadata, timeout: float) -> None:
        try:
            super().send_offsets(offsets, group, timeout)
        except MetadataTooLarge:
            self._striker.note("metadata refused")
            raise


class WatchedBroker(MemoryBroker):
    def __init__(self, cluster: MemoryCluster, striker: Striker) -> None:
        super().__init__(cluster)
        self._striker = striker

    def consumer(self, group: str, instance: str) -> Consumer:
        return _Consumer(self._cluster, group, self._striker)

    def producer(self, transactional_id: str) -> Producer:
        return _Producer(self._cluster, transactional_id, self._striker)
