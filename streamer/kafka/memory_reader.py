"""The reader of the in-memory cluster."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.kafka.base import Partition, Record
from streamer.kafka.memory import MemoryCluster


class MemoryReader:
    """See kafka.base.Reader."""

    def __init__(self, cluster: MemoryCluster, positions: Mapping[Partition, int]) -> None:
        self._cluster = cluster
        self._positions = {p: max(offset, cluster.log(p).low) for p, offset in positions.items()}

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        records: list[Record] = []
        with self._cluster.lock:
            self._cluster.tick()
            for partition, offset in self._positions.items():
                got, self._positions[partition] = self._cluster.log(partition).read(offset, max_records - len(records))
                records += got
        if not records and timeout > 0:
            self._cluster.clock.sleep(timeout)
        return records

    def at_end(self) -> bool:
        with self._cluster.lock:
            return all(offset >= self._cluster.log(p).stable for p, offset in self._positions.items())

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        return all(self._positions[partition] >= end for partition, end in ends.items())

    def close(self) -> None:
        """Nothing is held."""
