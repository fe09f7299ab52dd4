"""The reader on confluent-kafka: partitions assigned by hand, outside any group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import confluent_kafka
from confluent_kafka import TopicPartition

from streamer.errors import ConfigurationError
from streamer.kafka.base import Partition, Record
from streamer.kafka.confluent_consumer import bounds, fetch, position, report
from streamer.kafka.confluent_errors import answered
from streamer.observe.logs import Log


class ConfluentReader:
    """See kafka.base.Reader. `positions`: where each partition begins. `timeout`: seconds for a question."""

    def __init__(
        self, client: confluent_kafka.Consumer, log: Log, positions: Mapping[Partition, int], timeout: float
    ) -> None:
        self._client, self._log, self._timeout = client, log, timeout
        self._from: dict[Partition, int] = {}
        starts: dict[Partition, int] = {}
        for partition, wanted in positions.items():
            low, end = bounds(client, partition, timeout)
            self._from[partition] = max(low, wanted)
            # librdkafka answers an offset that is not in the log by going back to the log's start.
            starts[partition] = min(self._from[partition], end)
        client.assign([TopicPartition(p.topic, p.number, offset) for p, offset in starts.items()])

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        records = fetch(self._client, max_records, timeout, lambda message: report(self._log, message))
        return [record for record in records if record.offset >= self._from[record.partition]]

    def at_end(self) -> bool:
        return all(self._next(p) >= bounds(self._client, p, self._timeout)[1] for p in self._from)

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        return all(self._next(partition) >= end for partition, end in ends.items())

    def _next(self, partition: Partition) -> int:
        reached = position(self._client, partition)
        return self._from[partition] if reached is None else max(reached, self._from[partition])

    def close(self) -> None:
        self._client.close()


def whole(
    client: confluent_kafka.Consumer, topics: Sequence[str], from_beginning: bool, timeout: float
) -> dict[Partition, int]:
    """All partitions of topics. Errors: ConfigurationError, BrokerUnreachable, Retriable."""
    positions = {}
    for topic in topics:
        for partition in _partitions_of(client, topic, timeout):
            low, end = bounds(client, partition, timeout)
            # An exact offset, also at the end: what is committed from now on must not be missed.
            positions[partition] = low if from_beginning else end
    return positions


def _partitions_of(client: confluent_kafka.Consumer, topic: str, timeout: float) -> list[Partition]:
    with answered(f"metadata of topic {topic}"):
        found = client.list_topics(topic, timeout=timeout).topics[topic]
    if found.error is not None:
        raise ConfigurationError([f"topic {topic}: {found.error.str()}; `streamer topics` creates it"])
    return [Partition(topic, number) for number in sorted(found.partitions)]
