"""Kafka in memory: the broker's twin, for simulation and unit tests.

It shows what the real one does, also where that is unwelcome: transaction markers and aborted records take up offsets,
a member that was evicted is refused but one that does not own a partition is not, empty group metadata is accepted
unchecked, `committed` waits behind the offsets of an open transaction, and a producer is fenced by its successor.
tests/kafka/contract.py holds it to that. Thread safe. Time passes by the clock it is given.
"""

from __future__ import annotations

import threading
import uuid
import zlib
from collections.abc import Mapping, Sequence

from streamer.clock import Clock
from streamer.errors import ConfigurationError
from streamer.kafka.base import Broker, Commit, Message, Partition, Topic
from streamer.kafka.memory_log import Log, Transaction

METADATA_LIMIT = 4_095
"""Characters; offset.metadata.max.bytes is 4,096, and the broker refuses that many (seen with 4.2.0)."""


class Faults:
    """What can go wrong between a client and the broker; the simulation overrides it. By default nothing does."""

    def before(self, operation: str) -> None:
        """May raise: the operation did not happen."""

    def after(self, operation: str) -> None:
        """May raise: the operation happened, its answer was lost."""

    def notices_eviction(self) -> bool:
        """Whether the client's background thread learns just now that its member was evicted."""
        return False

    def rejoins_before_lost(self) -> bool:
        """Whether it is a member again already when the listener hears of the loss."""
        return False

    def fetches_before_rebalance(self) -> bool:
        """Whether a poll collects records before it calls the listener, as a batch consume may."""
        return False


class Member:
    """One member of a group, as its coordinator sees it."""

    def __init__(self, number: int, topics: Sequence[str], now: float) -> None:
        self.id = f"member-{number}"
        self.topics = tuple(topics)
        self.seen = now
        self.generation = 0
        self.owned: set[Partition] = set()
        self.target: set[Partition] = set()


class Group:
    """A consumer group: members, generation, commits. Assignment is cooperative and sticky."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.commits: dict[Partition, Commit] = {}

    def rebalance(self, partitions: Sequence[Partition]) -> None:
        self.generation += 1
        members = sorted(self.members.values(), key=lambda member: member.id)
        if not members:
            return
        share, extra = divmod(len(partitions), len(members))
        free = list(partitions)
        for number, member in enumerate(members):
            room = share + (number < extra)
            member.target = set(sorted(member.owned & set(free))[:room])
            free = [partition for partition in free if partition not in member.target]
        for number, member in enumerate(members):
            while free and len(member.target) < share + (number < extra):
                member.target.add(free.pop())

    def available(self, member: Member) -> list[Partition]:
        """What the member may take: its target less what others have not given back yet."""
        held: set[Partition] = set()
        for other in self.members.values():
            if other is not member:
                held |= other.owned
        return sorted(member.target - member.owned - held)


class _Topic:
    def __init__(self, name: str, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        self.id = uuid.uuid5(uuid.NAMESPACE_OID, name)
        self.replication, self.config = replication, dict(config)
        self.logs = [Log(Partition(name, number)) for number in range(partitions)]


class ProducerState:
    """What the transaction coordinator remembers of one transactional.id."""

    def __init__(self) -> None:
        self.epoch = 0
        self.transaction: Transaction | None = None


class MemoryCluster:
    """One cluster; `broker()` makes clients of it."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults | None = None,
        *,
        session_timeout: float = 6.0,
        transaction_timeout: float = 10.0,
    ) -> None:
        self.clock = clock
        self.faults = faults or Faults()
        self.session_timeout, self.transaction_timeout = session_timeout, transaction_timeout
        self.metadata_limit = METADATA_LIMIT
        self.cluster_id = "memory"
        self.lock = threading.RLock()
        self.groups: dict[str, Group] = {}
        self._topics: dict[str, _Topic] = {}
        self._producers: dict[str, ProducerState] = {}
        self._members = 0

    def broker(self) -> Broker:
        from streamer.kafka.memory_clients import MemoryBroker

        return MemoryBroker(self)

    # Topics and logs

    def create_topic(
        self, name: str, partitions: int, replication: int = 1, config: Mapping[str, str] | None = None
    ) -> bool:
        with self.lock:
            if name in self._topics:
                return False
            self._topics[name] = _Topic(name, partitions, replication, config or {})
            return True

    def topic(self, name: str) -> Topic | None:
        topic = self._topics.get(name)
        if topic is None:
            return None
        return Topic(
            name=name, id=topic.id, partitions=len(topic.logs), replication=topic.replication, config=topic.config
        )

    def log(self, partition: Partition) -> Log:
        topic = self._topics.get(partition.topic)
        if topic is None or partition.number >= len(topic.logs):
            raise ConfigurationError([f"{partition} does not exist"])
        return topic.logs[partition.number]

    def logs(self, topic: str) -> list[Log]:
        if topic not in self._topics:
            raise ConfigurationError([f"topic {topic} does not exist"])
        return self._topics[topic].logs

    def append(self, message: Message, transaction: Transaction | None = None) -> None:
        number = message.partition
        if number is None:
            number = zlib.crc32(message.key or b"") % len(self._topics[message.topic].logs)
        with self.lock:
            log = self.log(Partition(message.topic, number))
            log.append(message, self._timestamp(), transaction)
            if transaction is not None:
                transaction.logs.add(log)

    def _timestamp(self) -> int:
        return int(self.clock.now() * 1000)

    # Groups

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def join(self, group: Group, topics: Sequence[str]) -> Member:
        self._members += 1
        member = Member(self._members, topics, self.clock.monotonic())
        group.members[member.id] = member
        self._rebalance(group)
        member.generation = group.generation
        return member

    def leave(self, group: Group, member: Member) -> None:
        if group.members.pop(member.id, None) is not None:
            self._rebalance(group)

    def _rebalance(self, group: Group) -> None:
        topics = sorted({topic for member in group.members.values() for topic in member.topics})
        group.rebalance([log.partition for topic in topics for log in self._topics[topic].logs])

    def tick(self) -> None:
        """Let time act: evict silent members, abort transactions that are too old. Clients call it."""
        now = self.clock.monotonic()
        with self.lock:
            for group in self.groups.values():
                for member in [m for m in group.members.values() if m.seen + self.session_timeout < now]:
                    self.leave(group, member)
            for producer in self._producers.values():
                transaction = producer.transaction
                if transaction is not None and transaction.started + self.transaction_timeout < now:
                    producer.epoch += 1
                    self.end(producer, commit=False)

    # Transactions

    def init_producer(self, transactional_id: str) -> tuple[ProducerState, int]:
        producer = self._producers.setdefault(transactional_id, ProducerState())
        self.end(producer, commit=False)
        producer.epoch += 1
        return producer, producer.epoch

    def begin(self, producer: ProducerState) -> Transaction:
        producer.transaction = Transaction(self.clock.monotonic())
        return producer.transaction

    def end(self, producer: ProducerState, *, commit: bool) -> None:
        """Write the markers and make the transaction's offsets count, or forget them."""
        transaction, producer.transaction = producer.transaction, None
        if transaction is None:
            return
        transaction.state = "committed" if commit else "aborted"
        for log in sorted(transaction.logs, key=lambda log: log.partition):
            log.mark(transaction, self._timestamp())
        if commit:
            for (group, partition), offsets in transaction.offsets.items():
                self.group(group).commits[partition] = offsets

    def pending(self, group: str, partition: Partition) -> bool:
        return any(p.transaction and (group, partition) in p.transaction.offsets for p in self._producers.values())
