"""What every implementation of kafka.base is tested with: a world of one cluster, and members of its groups."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from streamer.kafka.base import Broker, Commit, Consumer, Message, Partition, Producer, Publisher, Reader, Record

TIMEOUT = 15.0
_STEP = 0.05
_STEPS = 800


class Listener:
    """Remembers what it was told; an own `on_revoked` may act inside the call."""

    def __init__(self) -> None:
        self.owned: set[Partition] = set()
        self.lost_now: list[Partition] = []
        self.revoked_now: list[Partition] = []
        self.on_revoked: Callable[[Sequence[Partition]], None] = lambda partitions: None

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self.owned |= set(partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.on_revoked(partitions)
        self.revoked_now += partitions
        self.owned -= set(partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        self.lost_now += partitions
        self.owned -= set(partitions)


class Member:
    """A consumer with its listener and all that it was delivered."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self.consumer, self.listener = consumer, Listener()
        self.records: list[Record] = []
        consumer.subscribe([topic], self.listener)

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def poll(self, timeout: float = _STEP) -> None:
        self.records += self.consumer.poll(100, timeout)

    def until(self, condition: Callable[[], bool], *others: Member) -> None:
        """Poll, the others too, until the condition holds."""
        for _ in range(_STEPS):
            if condition():
                return
            for member in (self, *others):
                member.poll()
        raise AssertionError("the condition never came to hold")

    def start(self, *partitions: Partition, offset: int = 0) -> None:
        """Join where it has not yet, and start these partitions."""
        self.until(lambda: set(partitions) <= self.listener.owned)
        for partition in partitions:
            self.consumer.start(partition, offset)

    def idle(self, times: int = 10) -> None:
        """Poll so often that what could be delivered would have been."""
        for _ in range(times):
            self.poll()


def read(reader: Reader, until: Callable[[], bool]) -> list[Record]:
    """What a reader delivers until the condition holds."""
    records: list[Record] = []
    for _ in range(_STEPS):
        if until():
            return records
        records += reader.poll(100, _STEP)
    raise AssertionError("the condition never came to hold")


class World:
    """One cluster, seen through one implementation."""

    def __init__(
        self,
        broker: Broker,
        impatient: Broker,
        unique: Callable[[str], str],
        settle: Callable[[Producer], None],
        truncate: Callable[[Partition, int], None],
    ) -> None:
        self.broker, self.unique = broker, unique
        self.impatient = impatient
        """The same cluster; a member that it makes is out of its group soon after it stopped polling."""
        self.settle = settle
        """Waits until what was produced stands in the log: an abort would drop what the client still holds."""
        self.truncate = truncate
        """Lets the log of a partition start at an offset, as retention does."""
        self.admin = broker.admin()
        self.group = unique("group")
        self._clients: list[Consumer | Producer | Publisher | Reader] = []
        self._publisher: Publisher | None = None

    def topic(self, partitions: int = 1, name: str = "topic") -> str:
        topic = self.unique(name)
        if not self.admin.create_topic(topic, partitions, 1, {}, TIMEOUT):
            raise AssertionError(f"{topic} exists")
        return topic

    def consumer(self, broker: Broker | None = None) -> Consumer:
        consumer = (broker or self.broker).consumer(self.group, self.unique("instance"))
        self._clients.append(consumer)
        return consumer

    def member(self, topic: str, broker: Broker | None = None) -> Member:
        return Member(self.consumer(broker), topic)

    def producer(self, transactional_id: str = "") -> Producer:
        producer = self.broker.producer(transactional_id or self.unique("transactional"))
        self._clients.append(producer)
        producer.init(TIMEOUT)
        return producer

    def write(self, topic: str, *values: bytes, partition: int = 0) -> None:
        """Write values outside any transaction, and wait until they are there."""
        if self._publisher is None:
            self._publisher = self.broker.publisher()
            self._clients.append(self._publisher)
        failures: list[Exception | None] = []
        for value in values:
            self._publisher.publish(Message(topic, b"key", value, partition=partition), failures.append)
        if self._publisher.flush(TIMEOUT) or any(failures) or len(failures) != len(values):
            raise AssertionError(f"not delivered: {failures}")

    def transact(self, producer: Producer, topic: str, *values: bytes, commit: bool = True) -> None:
        producer.begin()
        for value in values:
            producer.produce(Message(topic, b"key", value, partition=0))
        self.settle(producer)
        if commit:
            producer.commit(TIMEOUT)
        else:
            producer.abort(TIMEOUT)

    def commit_offset(self, producer: Producer, member: Member, partition: Partition, commit: Commit) -> None:
        """A transaction of nothing but an offset."""
        producer.begin()
        producer.send_offsets({partition: commit}, member.consumer.group_metadata(), TIMEOUT)
        producer.commit(TIMEOUT)

    def ends_become(self, ends: dict[Partition, int]) -> None:
        """Wait for markers: the broker writes them after commit or abort have returned."""
        for _ in range(_STEPS):
            if self.admin.ends(list(ends), TIMEOUT) == ends:
                return
            time.sleep(_STEP)
        raise AssertionError(f"{self.admin.ends(list(ends), TIMEOUT)}, not {ends}")

    def reader_from(self, positions: dict[Partition, int]) -> Reader:
        reader = self.broker.reader_from(positions)
        self._clients.append(reader)
        return reader

    def close(self) -> None:
        for client in self._clients:
            client.close()
