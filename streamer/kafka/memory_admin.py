"""Administration of the in-memory cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamer.errors import ConfigurationError
from streamer.kafka.base import Commit, Partition, Topic
from streamer.kafka.memory import MemoryCluster


class MemoryAdmin:
    """See kafka.base.Admin."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    def cluster_id(self, timeout: float) -> str:
        return self._cluster.cluster_id

    def topics(self, names: Sequence[str], timeout: float) -> dict[str, Topic | None]:
        return {name: self._cluster.topic(name) for name in names}

    def create_topic(
        self, name: str, partitions: int, replication: int, config: Mapping[str, str], timeout: float
    ) -> bool:
        return self._cluster.create_topic(name, partitions, replication, config)

    def low_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        return {partition: self._cluster.log(partition).low for partition in partitions}

    def ends(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        with self._cluster.lock:
            return {partition: self._cluster.log(partition).stable for partition in partitions}

    def high_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        with self._cluster.lock:
            return {partition: self._cluster.log(partition).end for partition in partitions}

    def offsets_at(self, partitions: Sequence[Partition], timestamp: int, timeout: float) -> dict[Partition, int]:
        with self._cluster.lock:
            return {partition: self._cluster.log(partition).at(timestamp) for partition in partitions}

    def commits(self, group: str, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        return {partition: self._cluster.group(group).commits.get(partition) for partition in partitions}

    def set_commits(self, group: str, commits: Mapping[Partition, Commit], timeout: float) -> None:
        if self._cluster.group(group).members:
            raise ConfigurationError([f"group {group} has members; stop its workers first"])
        self._cluster.group(group).commits.update(commits)

    def members(self, group: str, timeout: float) -> int:
        with self._cluster.lock:
            return len(self._cluster.group(group).members)
