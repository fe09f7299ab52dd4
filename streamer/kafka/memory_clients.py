"""The clients of the in-memory cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streamer.errors import (
    AbortRequired,
    FatalClient,
    Fenced,
    MetadataTooLarge,
    RetentionPassed,
    Retriable,
)
from streamer.kafka.base import (
    Admin,
    Commit,
    Consumer,
    Delivered,
    GroupMetadata,
    Message,
    Partition,
    Producer,
    Publisher,
    Reader,
    RebalanceListener,
    Record,
)
from streamer.kafka.memory import Member, MemoryCluster, ProducerState
from streamer.kafka.memory_admin import MemoryAdmin
from streamer.kafka.memory_log import Transaction
from streamer.kafka.memory_reader import MemoryReader


class MemoryGroupMetadata:
    """A member id and its generation at one moment; empty outside the group."""

    def __init__(self, group: str, member: str, generation: int) -> None:
        self.group, self.member, self.generation = group, member, generation


class MemoryConsumer:
    """See kafka.base.Consumer."""

    def __init__(self, cluster: MemoryCluster, group: str) -> None:
        self._cluster, self._name = cluster, group
        self._group = cluster.group(group)
        self._topics: tuple[str, ...] = ()
        self._listener: RebalanceListener | None = None
        self._member: Member | None = None
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._unheard: set[Partition] = set()  # lost, and the listener was not told yet

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self._topics, self._listener = tuple(topics), listener

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        with self._cluster.lock:
            self._cluster.faults.before("poll")
            self._cluster.tick()
            records: list[Record] = []
            early = self._cluster.faults.fetches_before_rebalance()
            if early:
                records = self._fetch(max_records)
            self._rebalance()
            if not early:
                records = self._fetch(max_records)
        if not records and timeout > 0:
            self._cluster.clock.sleep(timeout)
        return records

    def _rebalance(self) -> None:
        listener = self._listener
        if listener is None:
            raise FatalClient("poll before subscribe")
        self._notice()
        if self._unheard:
            if self._member is None and self._cluster.faults.rejoins_before_lost():
                self._member = self._cluster.join(self._group, self._topics)
            lost, self._unheard = sorted(self._unheard), set()
            self._forget(lost)
            listener.lost(lost)
        if self._member is None:
            self._member = self._cluster.join(self._group, self._topics)
        member = self._member
        member.seen = self._cluster.clock.monotonic()
        member.generation = self._group.generation
        revoked = sorted(member.owned - member.target)
        if revoked:
            listener.revoked(revoked)
            self._forget(revoked)
            member.owned -= set(revoked)
        assigned = self._group.available(member)
        if assigned:
            member.owned |= set(assigned)
            listener.assigned(assigned)

    def _notice(self) -> None:
        """Learn that the member was evicted."""
        member = self._member
        if member is not None and member.id not in self._group.members:
            self._unheard |= member.owned
            self._member = None

    def _forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._paused.discard(partition)

    def _fetch(self, most: int) -> list[Record]:
        records: list[Record] = []
        for partition in sorted(self._positions):
            if partition in self._paused or len(records) >= most:
                continue
            log = self._cluster.log(partition)
            if self._positions[partition] < log.low:
                raise RetentionPassed(f"{partition} begins at {log.low}, after {self._positions[partition]}")
            got, self._positions[partition] = log.read(self._positions[partition], most - len(records))
            records += got
        return records

    def start(self, partition: Partition, offset: int) -> None:
        if self._member is None or partition not in self._member.owned:
            return  # taken away in the meantime; the listener hears of it with the next poll
        self._positions[partition] = offset

    def stop(self, partition: Partition) -> None:
        self._forget([partition])

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused -= set(partitions)

    def position(self, partition: Partition) -> int | None:
        return self._positions.get(partition)

    def committed(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        with self._cluster.lock:
            self._cluster.faults.before("committed")
            self._cluster.tick()
            if any(self._cluster.pending(self._name, partition) for partition in partitions):
                raise Retriable("committed(): offsets of an open transaction are pending")
            return {partition: self._group.commits.get(partition) for partition in partitions}

    def bounds(self, partition: Partition, timeout: float) -> tuple[int, int]:
        self._cluster.faults.before("bounds")
        log = self._cluster.log(partition)
        return log.low, log.stable

    def member_id(self) -> str:
        if self._cluster.faults.notices_eviction():
            self._notice()
        return "" if self._member is None else self._member.id

    def group_metadata(self) -> GroupMetadata:
        if self._cluster.faults.notices_eviction():
            self._notice()
        member = self._member
        return MemoryGroupMetadata(self._name, member.id if member else "", member.generation if member else -1)

    def close(self) -> None:
        with self._cluster.lock:
            member = self._member
            if member is not None and member.id in self._group.members:
                if member.owned and self._listener is not None:
                    self._listener.revoked(sorted(member.owned))
                self._cluster.leave(self._group, member)
            self._member = None


class MemoryProducer:
    """See kafka.base.Producer."""

    def __init__(self, cluster: MemoryCluster, transactional_id: str) -> None:
        self._cluster, self._id = cluster, transactional_id
        self._state: ProducerState | None = None
        self._epoch = 0
        self._transaction: Transaction | None = None
        self._must_abort = ""

    def init(self, timeout: float) -> None:
        with self._cluster.lock:
            self._cluster.faults.before("init")
            self._state, self._epoch = self._cluster.init_producer(self._id)

    def begin(self) -> None:
        with self._cluster.lock:
            state = self._check("begin")
            if self._transaction is not None:
                raise FatalClient("begin within a transaction")
            self._transaction = self._cluster.begin(state)

    def produce(self, message: Message) -> None:
        with self._cluster.lock:
            self._check("produce")
            self._cluster.append(message, self._inside())

    def send_offsets(self, offsets: Mapping[Partition, Commit], group: GroupMetadata, timeout: float) -> None:
        with self._cluster.lock:
            self._check("send_offsets")
            transaction = self._inside()
            if not isinstance(group, MemoryGroupMetadata):
                raise FatalClient("group metadata of another client")
            members = self._cluster.group(group.group).members
            if group.member:
                member = members.get(group.member)
                if member is None:
                    self._refuse("UNKNOWN_MEMBER_ID")
                elif group.generation != self._cluster.group(group.group).generation:
                    self._refuse("ILLEGAL_GENERATION")
            if any(len(commit.metadata) > self._cluster.metadata_limit for commit in offsets.values()):
                self._must_abort = "OFFSET_METADATA_TOO_LARGE"
                raise MetadataTooLarge(self._must_abort)
            transaction.offsets.update({(group.group, partition): commit for partition, commit in offsets.items()})

    def commit(self, timeout: float) -> None:
        with self._cluster.lock:
            state = self._check("commit")
            self._inside()
            self._cluster.end(state, commit=True)
            self._transaction = None
            self._cluster.faults.after("commit")

    def abort(self, timeout: float) -> None:
        with self._cluster.lock:
            self._must_abort = ""
            self._cluster.end(self._check("abort"), commit=False)
            self._transaction = None

    def close(self) -> None:
        """The transaction stays open, as with a client that dies; `init` of a successor ends it."""

    def _check(self, operation: str) -> ProducerState:
        self._cluster.faults.before(operation)
        self._cluster.tick()
        if self._state is None:
            raise FatalClient(f"{operation} before init")
        if self._epoch != self._state.epoch:
            raise Fenced(f"{operation}: {self._id} was taken by another producer, or its transaction took too long")
        if self._must_abort:
            raise AbortRequired(self._must_abort)
        return self._state

    def _inside(self) -> Transaction:
        if self._transaction is None:
            raise FatalClient("outside a transaction")
        return self._transaction

    def _refuse(self, why: str) -> None:
        self._must_abort = why
        raise AbortRequired(why)


class MemoryPublisher:
    """See kafka.base.Publisher. Delivers at once; the callbacks come from `poll`."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._delivered: list[Delivered] = []

    def publish(self, message: Message, delivered: Delivered) -> None:
        with self._cluster.lock:
            self._cluster.append(message)
            self._delivered.append(delivered)

    def poll(self, timeout: float) -> int:
        with self._cluster.lock:
            served, self._delivered = self._delivered, []
        if not served and timeout > 0:
            self._cluster.clock.sleep(timeout)
        for delivered in served:
            delivered(None)
        return len(served)

    def flush(self, timeout: float) -> int:
        self.poll(0)
        return 0

    def close(self) -> None:
        self.flush(0)


class MemoryBroker:
    """See kafka.base.Broker."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    def consumer(self, group: str, instance: str) -> Consumer:
        return MemoryConsumer(self._cluster, group)

    def producer(self, transactional_id: str) -> Producer:
        return MemoryProducer(self._cluster, transactional_id)

    def publisher(self) -> Publisher:
        return MemoryPublisher(self._cluster)

    def reader(self, topics: Sequence[str], from_beginning: bool) -> Reader:
        logs = [log for topic in topics for log in self._cluster.logs(topic)]
        return MemoryReader(self._cluster, {log.partition: log.low if from_beginning else log.stable for log in logs})

    def reader_from(self, positions: Mapping[Partition, int]) -> Reader:
        return MemoryReader(self._cluster, positions)

    def admin(self) -> Admin:
        return MemoryAdmin(self._cluster)
