"""Administration on confluent-kafka: topics, watermarks, and the commits of a group without members."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # some are exported without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    TopicDescription,
)

from streamer.errors import BrokerUnreachable, ConfigurationError
from streamer.kafka.base import Commit, Partition, Topic
from streamer.kafka.confluent_errors import administered, answered, reached

_LATE = 2.0
"""Seconds that a future may outlast the request's own timeout."""

_PAUSE = 0.1
"""Seconds between two questions that may be answered next time; on a fresh cluster coordinators load at first."""

_MEMBERS = frozenset({KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP, KafkaError.STALE_MEMBER_EPOCH})

T = TypeVar("T")


class ConfluentAdmin:
    """See kafka.base.Admin."""

    def __init__(self, client: AdminClient, make_asker: Callable[[str], Consumer], servers: str) -> None:
        """`make_asker`: a consumer of a group, to ask for its commits. `servers`: where the cluster is, to name it."""
        self._client, self._make_asker, self._servers = client, make_asker, servers
        self._askers: dict[str, Consumer] = {}

    def cluster_id(self, timeout: float) -> str:
        with reached(self._servers), answered("the cluster"):
            return str(self._client.list_topics(timeout=timeout).cluster_id)

    def topics(self, names: Sequence[str], timeout: float) -> dict[str, Topic | None]:
        if not names:
            return {}
        with reached(self._servers):
            return self._topics(names, timeout)

    def _topics(self, names: Sequence[str], timeout: float) -> dict[str, Topic | None]:
        found: dict[str, Topic | None] = dict.fromkeys(names)
        descriptions = []
        for name, future in self._client.describe_topics(TopicCollection(list(names)), request_timeout=timeout).items():
            with answered(f"topic {name}"):
                try:
                    descriptions.append(future.result(timeout + _LATE))
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise
        configs = self._configs([description.name for description in descriptions], timeout)
        found |= {d.name: _topic(d, configs[d.name]) for d in descriptions}
        return found

    def _configs(self, names: Sequence[str], timeout: float) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        configs = {}
        for resource, future in self._client.describe_configs(resources, request_timeout=timeout).items():
            with answered(f"configuration of topic {resource.name}"):
                entries = future.result(timeout + _LATE)
            configs[resource.name] = {e.name: e.value for e in entries.values() if e.value is not None}
        return configs

    def create_topic(
        self, name: str, partitions: int, replication: int, config: Mapping[str, str], timeout: float
    ) -> bool:
        topic = NewTopic(name, partitions, replication, config=dict(config))
        future = self._client.create_topics([topic], request_timeout=timeout, operation_timeout=timeout)[name]
        with answered(f"creating topic {name}"):
            try:
                future.result(timeout + _LATE)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                return False
        _patiently(lambda: self._await(name, timeout), timeout)
        return True

    def _await(self, name: str, timeout: float) -> None:
        """The controller has made it; a broker hears of it a moment later."""
        if self.topics([name], timeout)[name] is None:
            raise BrokerUnreachable(f"topic {name} was created, and no broker knows it yet")

    def low_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        return self._offsets(partitions, OffsetSpec.earliest(), timeout)  # type: ignore[no-untyped-call]

    def ends(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        return self._offsets(partitions, OffsetSpec.latest(), timeout)  # type: ignore[no-untyped-call]

    def high_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, latest, timeout, IsolationLevel.READ_UNCOMMITTED)

    def offsets_at(self, partitions: Sequence[Partition], timestamp: int, timeout: float) -> dict[Partition, int]:
        # The ends first: what is appended between the two questions lies behind them, and is not passed over.
        ends = self.ends(partitions, timeout)
        # librdkafka takes negative times for its names of first and last.
        found = self._offsets(partitions, OffsetSpec.for_timestamp(max(0, timestamp)), timeout)
        return {partition: offset if offset >= 0 else ends[partition] for partition, offset in found.items()}

    def _offsets(
        self,
        partitions: Sequence[Partition],
        which: OffsetSpec,
        timeout: float,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[Partition, int]:
        """-1 where there is none. The isolation level tells the last stable offset from the high watermark."""
        asked = {TopicPartition(p.topic, p.number): which for p in partitions}
        return _patiently(lambda: self._list(asked, timeout, isolation), timeout) if asked else {}

    def _list(
        self, asked: dict[TopicPartition, OffsetSpec], timeout: float, isolation: IsolationLevel
    ) -> dict[Partition, int]:
        found = {}
        futures = self._client.list_offsets(asked, isolation_level=isolation, request_timeout=timeout)
        for partition, future in futures.items():
            with answered(f"offsets of {partition.topic}[{partition.partition}]"):
                found[Partition(partition.topic, partition.partition)] = future.result(timeout + _LATE).offset
        return found

    def commits(self, group: str, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        """Errors: BrokerUnreachable also while an open transaction is about to commit for the group."""
        return _patiently(lambda: self._commits(group, partitions, timeout), timeout) if partitions else {}

    def _commits(self, group: str, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        # A consumer asks, that joins nothing: librdkafka 2.16's AdminClient (list_consumer_group_offsets) takes every
        # client for a member, and crashes when the coordinator has moved or is not there yet.
        if group not in self._askers:
            self._askers[group] = self._make_asker(group)
        with answered(f"commits of group {group}"):
            answers = self._askers[group].committed([TopicPartition(p.topic, p.number) for p in partitions], timeout)
        found: dict[Partition, Commit | None] = dict.fromkeys(partitions)
        for answer in answers:
            if answer.error is not None:
                raise administered(answer.error, f"commits of group {group}")
            if answer.offset >= 0:
                found[Partition(answer.topic, answer.partition)] = Commit(answer.offset, answer.metadata or "")
        return found

    def set_commits(self, group: str, commits: Mapping[Partition, Commit], timeout: float) -> None:
        if commits:
            _patiently(lambda: self._set_commits(group, commits, timeout), timeout)

    def _set_commits(self, group: str, commits: Mapping[Partition, Commit], timeout: float) -> None:
        offsets = [TopicPartition(p.topic, p.number, c.offset, c.metadata) for p, c in commits.items()]
        request = ConsumerGroupTopicPartitions(group, offsets)
        future = self._client.alter_consumer_group_offsets([request], request_timeout=timeout)[group]
        with answered(f"commits of group {group}"):
            try:
                answer = future.result(timeout + _LATE)
            except KafkaException as error:
                raise _refusal(group, error.args[0]) from error
        for offset in answer.topic_partitions:
            if offset.error is not None:
                raise _refusal(group, offset.error)

    def members(self, group: str, timeout: float) -> int:
        return _patiently(lambda: self._members(group, timeout), timeout)

    def _members(self, group: str, timeout: float) -> int:
        future = self._client.describe_consumer_groups([group], request_timeout=timeout)[group]
        with answered(f"members of group {group}"):
            try:
                return len(future.result(timeout + _LATE).members)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise
                return 0


def reach(bootstrap_servers: str, timeout: float) -> None:
    """Errors: BrokerUnreachable where no broker answers within `timeout` seconds."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    with answered(bootstrap_servers):
        client.list_topics(timeout=timeout)


def _patiently(ask: Callable[[], T], timeout: float) -> T:
    """Ask again what passes by itself, for `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ask()
        except BrokerUnreachable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)


def _refusal(group: str, error: KafkaError) -> Exception:
    if error.code() in _MEMBERS:
        return ConfigurationError([f"group {group} has members; stop its workers first"])
    return administered(error, f"commits of group {group}")


def _topic(description: TopicDescription, config: dict[str, str]) -> Topic:
    identity: Any = description.topic_id  # the stub does not know the getters
    high, low = identity.get_most_significant_bits(), identity.get_least_significant_bits()
    return Topic(
        name=description.name,
        id=uuid.UUID(int=(high % 2**64 << 64) | low % 2**64),  # Java's longs are signed
        partitions=len(description.partitions),
        replication=min(len(partition.replicas) for partition in description.partitions),
        config=config,
    )
