"""The broker interface: what the rest of streamer asks of Kafka, and which errors it answers with.

Both implementations (`confluent`, `memory`) pass tests/kafka/contract.py. Deadlines are seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

Headers = tuple[tuple[str, bytes | None], ...]


class Partition(NamedTuple):
    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as it was read."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int
    """Milliseconds since the epoch."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One record to be written. `partition` None: by the hash of the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Commit(NamedTuple):
    """A committed offset, the next one to read, and the string that was committed with it."""

    offset: int
    metadata: str


class GroupMetadata(Protocol):
    """Opaque proof of membership that goes into a transaction with the offsets."""


class RebalanceListener(Protocol):
    """Called from within `Consumer.poll`, on its thread.

    Duties: after `assigned`, a partition delivers nothing until `Consumer.start`. When `revoked` returns, the
    partition is gone: what is to be committed must be committed inside. `lost` comes too late for that.
    """

    def assigned(self, partitions: Sequence[Partition]) -> None: ...
    def revoked(self, partitions: Sequence[Partition]) -> None: ...
    def lost(self, partitions: Sequence[Partition]) -> None: ...


class Consumer(Protocol):
    """A read_committed member of a group. Never commits by itself: offsets go through a transaction."""

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None: ...

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """Up to `max_records` of the started, unpaused partitions; calls the listener.

        Records of a partition that was revoked within the same call may still be among them, and `position` may
        already have passed them while the listener runs.

        Errors: BrokerError leaves where the client is unusable; passing trouble is only logged.
        """
        ...

    def start(self, partition: Partition, offset: int) -> None:
        """Deliver an assigned partition from `offset`. Not from within the listener."""
        ...

    def stop(self, partition: Partition) -> None:
        """Deliver it no longer; it stays assigned and may be started again elsewhere."""
        ...

    def pause(self, partitions: Iterable[Partition]) -> None: ...
    def resume(self, partitions: Iterable[Partition]) -> None: ...

    def position(self, partition: Partition) -> int | None:
        """The next offset to be delivered; passes transaction markers and aborted records. None before the first."""
        ...

    def committed(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        """What the group committed. Waits behind offsets of an open transaction.

        Errors: Retriable when that, or the broker, took longer than `timeout`.
        """
        ...

    def bounds(self, partition: Partition, timeout: float) -> tuple[int, int]:
        """First offset still in the log, and the one after the last. Errors: Retriable."""
        ...

    def member_id(self) -> str:
        """Empty while this consumer is no member: before it joined, after it was evicted."""
        ...

    def group_metadata(self) -> GroupMetadata:
        """Of this moment; empty, and then accepted by the broker without any check, while `member_id` is empty."""
        ...

    def close(self) -> None:
        """Leave the group. Calls `revoked` for what is still assigned."""
        ...


class Producer(Protocol):
    """A transactional producer: one transactional.id, one transaction at a time.

    Errors of every call: Retriable (call again), AbortRequired (abort), OutcomeUnknown (close, make a new one, rewind),
    Fenced, FatalClient.
    """

    def init(self, timeout: float) -> None:
        """Fence the producer that used this transactional.id before, and end its transaction."""
        ...

    def begin(self) -> None: ...
    def produce(self, message: Message) -> None: ...
    def send_offsets(self, offsets: Mapping[Partition, Commit], group: GroupMetadata, timeout: float) -> None: ...
    def commit(self, timeout: float) -> None: ...
    def abort(self, timeout: float) -> None: ...
    def close(self) -> None: ...


Delivered = Callable[[Exception | None], None]
"""Called once a message: None when all in-sync replicas have it, else why not."""


class Publisher(Protocol):
    """An idempotent producer without transactions, for requests. Thread safe."""

    def publish(self, message: Message, delivered: Delivered) -> None:
        """Errors: Retriable when the local queue is full. `delivered` is called from `poll` or `flush`."""
        ...

    def poll(self, timeout: float) -> int:
        """Serve delivery callbacks; how many."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait for what is pending; how many remained."""
        ...

    def close(self) -> None: ...


class Reader(Protocol):
    """A read_committed reader of partitions, outside any group."""

    def poll(self, max_records: int, timeout: float) -> list[Record]: ...

    def at_end(self) -> bool:
        """Whether all that was committed when it was opened, or since, has been read."""
        ...

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        """Whether everything below these offsets has been read, or passed: markers and aborted records too."""
        ...

    def close(self) -> None: ...


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as the cluster has it."""

    name: str
    id: uuid.UUID
    partitions: int
    replication: int
    config: dict[str, str]


class Admin(Protocol):
    """Errors: BrokerUnreachable after `timeout`; ConfigurationError where the broker refuses what was asked."""

    def cluster_id(self, timeout: float) -> str: ...

    def topics(self, names: Sequence[str], timeout: float) -> dict[str, Topic | None]: ...

    def create_topic(
        self, name: str, partitions: int, replication: int, config: Mapping[str, str], timeout: float
    ) -> bool:
        """True when this call made it, False where it was there."""
        ...

    def low_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]: ...

    def ends(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        """The offset after the last stable one: what stands there or behind may still be aborted.

        It may lag a moment behind a commit that has returned: markers are written afterwards.
        """
        ...

    def high_watermarks(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, int]:
        """The offset after the last one there is, of an open transaction or not: whoever has read up to here has seen
        whatever was written before, committed or not known to be yet."""
        ...

    def offsets_at(self, partitions: Sequence[Partition], timestamp: int, timeout: float) -> dict[Partition, int]:
        """The first stable offset whose time stamp (ms since the epoch) is `timestamp` or later; else the end.

        A marker may be what stands there.
        """
        ...

    def commits(
        self, group: str, partitions: Sequence[Partition], timeout: float
    ) -> dict[Partition, Commit | None]: ...

    def set_commits(self, group: str, commits: Mapping[Partition, Commit], timeout: float) -> None:
        """For a group without members. Errors: ConfigurationError where it has some."""
        ...

    def members(self, group: str, timeout: float) -> int:
        """How many are in a group; one that died counts until its session has expired."""
        ...


class Broker(Protocol):
    """Makes clients of one cluster, all with the same properties."""

    def consumer(self, group: str, instance: str) -> Consumer: ...
    def producer(self, transactional_id: str) -> Producer: ...
    def publisher(self) -> Publisher: ...
    def reader(self, topics: Sequence[str], from_beginning: bool) -> Reader:
        """Of all partitions that these topics have now."""
        ...

    def reader_from(self, positions: Mapping[Partition, int]) -> Reader:
        """Of these partitions from these offsets on; where retention has passed one, from the log's start.

        An offset that is not there yet is waited for.
        """
        ...

    def admin(self) -> Admin: ...


def headers_of(record: Record) -> dict[str, bytes]:
    """The last value of each header; the ones without a value left out."""
    return {name: value for name, value in record.headers if value is not None}
