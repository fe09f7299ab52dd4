"""The member of a group on confluent-kafka, and what it shares with the reader outside any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streamer.errors import FatalClient, RetentionPassed, Retriable
from streamer.kafka.base import Commit, GroupMetadata, Partition, RebalanceListener, Record
from streamer.kafka.confluent_errors import asked, leader_moves, meaning
from streamer.observe.logs import Log

# Seconds before a question goes to a partition's new leader.
_LEADER_PAUSE = 0.1


class ConfluentConsumer:
    """See kafka.base.Consumer. The member id is empty also for a member that was never assigned anything.

    librdkafka is told of a rebalance with empty lists, and starts each partition when `start` says where.
    """

    def __init__(self, client: confluent_kafka.Consumer, log: Log) -> None:
        self._client, self._log = client, log
        self._listener: RebalanceListener | None = None
        self._assigned: set[Partition] = set()
        self._started: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._member = False
        self._closed = False

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        def on_assign(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            self._call(client.incremental_assign, [])
            self._member = True
            assigned = _partitions(partitions)
            self._assigned.update(assigned)
            listener.assigned(assigned)

        def on_revoke(_client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            self._give_up(_partitions(partitions), listener.revoked)

        def on_lost(_client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            self._member = False
            self._give_up(_partitions(partitions), listener.lost)

        self._listener = listener
        self._client.subscribe(list(topics), on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)

    def _give_up(self, partitions: Sequence[Partition], tell: Callable[[Sequence[Partition]], None]) -> None:
        told = [partition for partition in partitions if partition in self._assigned]
        try:
            if told:
                tell(told)
        finally:
            self._assigned.difference_update(told)
            # Also an empty list: librdkafka waits for the answer.
            self._unassign([partition for partition in partitions if partition in self._started])

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        return fetch(self._client, max_records, timeout, self._trouble)

    def _trouble(self, message: Message) -> None:
        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise RetentionPassed(f"{message.topic()}[{message.partition()}]: {error.str()}")
        report(self._log, message)

    def start(self, partition: Partition, offset: int) -> None:
        if partition not in self._assigned:
            return  # taken away in the meantime, as the listener was told
        if partition in self._started:
            self._unassign([partition])
        self._call(self._client.incremental_assign, [TopicPartition(partition.topic, partition.number, offset)])
        self._started.add(partition)
        if partition in self._paused:
            self._call(self._client.pause, _topic_partitions([partition]))

    def stop(self, partition: Partition) -> None:
        if partition in self._started:
            self._unassign([partition])

    def _unassign(self, partitions: Sequence[Partition]) -> None:
        # librdkafka keeps a pause beyond the assignment.
        paused = [partition for partition in partitions if partition in self._paused]
        if paused:
            self.resume(paused)
        self._started.difference_update(partitions)
        self._call(self._client.incremental_unassign, _topic_partitions(partitions))

    def pause(self, partitions: Iterable[Partition]) -> None:
        fresh = [partition for partition in partitions if partition not in self._paused]
        self._paused.update(fresh)
        if started := [partition for partition in fresh if partition in self._started]:
            self._call(self._client.pause, _topic_partitions(started))

    def resume(self, partitions: Iterable[Partition]) -> None:
        paused = [partition for partition in partitions if partition in self._paused]
        self._paused.difference_update(paused)
        if started := [partition for partition in paused if partition in self._started]:
            self._call(self._client.resume, _topic_partitions(started))

    def position(self, partition: Partition) -> int | None:
        return position(self._client, partition)

    def committed(self, partitions: Sequence[Partition], timeout: float) -> dict[Partition, Commit | None]:
        try:
            answers = self._client.committed(_topic_partitions(partitions), timeout)
        except KafkaException as error:
            raise asked(error.args[0]) from error
        commits: dict[Partition, Commit | None] = {}
        for answer in answers:
            if answer.error is not None:
                raise asked(answer.error)
            found = Commit(answer.offset, answer.metadata or "") if answer.offset >= 0 else None
            commits[Partition(answer.topic, answer.partition)] = found
        return commits

    def bounds(self, partition: Partition, timeout: float) -> tuple[int, int]:
        return bounds(self._client, partition, timeout)

    def member_id(self) -> str:
        # With the protocol `consumer` librdkafka makes an id before it joins and keeps it when it is evicted; the
        # broker takes offsets under such an id, without any check, while the group has no members.
        return (self._client.memberid() or "") if self._member else ""

    def group_metadata(self) -> GroupMetadata:
        metadata: GroupMetadata = self._client.consumer_group_metadata()
        return metadata

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            # Told here, while it is a member: within librdkafka's close it may have left the group already (seen
            # with the classic protocol, shortly after a rebalance), and what it then commits is refused.
            if self._listener is not None and self._assigned:
                tell = self._listener.revoked if self.member_id() else self._listener.lost
                self._give_up(sorted(self._assigned), tell)
        finally:
            self._client.close()

    def _call(self, change: Callable[[list[TopicPartition]], None], partitions: list[TopicPartition]) -> None:
        try:
            change(partitions)
        except KafkaException as error:
            raise meaning(error.args[0], FatalClient) from error


def fetch(
    client: confluent_kafka.Consumer, most: int, timeout: float, trouble: Callable[[Message], None]
) -> list[Record]:
    """What arrived, waiting up to `timeout` for the first record only; `trouble` gets messages that are errors."""
    try:
        # `consume` alone would wait the whole timeout for `most` records.
        first = client.poll(timeout)
        if first is None:
            return []
        messages = [first, *client.consume(most - 1, 0)] if most > 1 else [first]
    except KafkaException as error:
        raise meaning(error.args[0], FatalClient) from error
    records: list[Record] = []
    append = records.append
    for message in messages:
        if message.error() is not None:
            trouble(message)
            continue
        append(
            Record(
                Partition(message.topic(), message.partition()),  # type: ignore[arg-type]  # None in errors only
                message.offset(),  # type: ignore[arg-type]
                message.key(),
                message.value(),
                _headers(message),
                message.timestamp()[1],
            )
        )
    return records


def _headers(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    try:
        headers = message.headers()
    except UnicodeDecodeError:
        # A sender in another language may name a header in any bytes; none of ours is such a name.
        return ()
    return tuple(headers) if headers else ()  # type: ignore[arg-type]  # the stub allows for text values


def report(log: Log, message: Message) -> None:
    """Log trouble that passes. Errors: Fenced or FatalClient for what does not."""
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        return
    if error.fatal():
        raise meaning(error, FatalClient)
    log.warning("consumer trouble", error=error.name(), detail=error.str(), topic=message.topic())


def position(client: confluent_kafka.Consumer, partition: Partition) -> int | None:
    """The next offset to be delivered, None before the first. Markers and aborted records are passed."""
    try:
        offset = client.position([TopicPartition(partition.topic, partition.number)])[0].offset
    except KafkaException:  # it is not assigned (any more)
        return None
    return offset if offset >= 0 else None


def bounds(client: confluent_kafka.Consumer, partition: Partition, timeout: float) -> tuple[int, int]:
    """First offset in the log, and the last stable one: what follows may still be aborted. Errors: Retriable.

    A leader that just changed, as that of a new topic, is asked for again within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = client.get_watermark_offsets(TopicPartition(partition.topic, partition.number), timeout)
        except KafkaException as error:
            if leader_moves(error.args[0]) and time.monotonic() + _LEADER_PAUSE < deadline:
                time.sleep(_LEADER_PAUSE)
                continue
            raise asked(error.args[0]) from error
        if answer is None:
            raise Retriable(f"watermarks of {partition}: no answer within {timeout} s")
        return answer


def _partitions(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [Partition(partition.topic, partition.partition) for partition in partitions]


def _topic_partitions(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.number) for partition in partitions]
