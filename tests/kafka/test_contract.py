"""One suite on the broker's twin in memory and on a real Kafka with both group protocols."""

from __future__ import annotations

import pytest

from streamer.errors import AbortRequired, ConfigurationError, FatalClient, Fenced, MetadataTooLarge, Retriable
from streamer.kafka.base import Commit, Message, Partition
from tests.kafka.contract import TIMEOUT, World, read

# Records, markers and transactions


def test_markers_and_aborted_records_take_up_offsets(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    producer = world.producer()
    world.transact(producer, topic, b"a", b"b")
    world.transact(producer, topic, b"no", b"no", commit=False)
    world.transact(producer, topic, b"c")
    world.transact(producer, topic, b"no", commit=False)
    member = world.member(topic)
    member.start(partition)
    member.until(lambda: member.consumer.position(partition) == 10)
    assert [(record.offset, record.value) for record in member.records] == [(0, b"a"), (1, b"b"), (6, b"c")]
    assert member.consumer.bounds(partition, TIMEOUT) == (0, 10)


def test_records_of_a_transaction_are_hidden_until_it_commits(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    producer = world.producer()
    member = world.member(topic)
    member.start(partition)
    producer.begin()
    producer.produce(Message(topic, b"key", b"a", partition=0))
    world.settle(producer)
    world.write(topic, b"behind")
    member.idle()
    assert member.records == []
    assert member.consumer.bounds(partition, TIMEOUT) == (0, 0)
    producer.commit(TIMEOUT)
    member.until(lambda: len(member.records) == 2)
    assert member.values == [b"a", b"behind"]


def test_a_record_comes_back_as_it_was_written(world: World) -> None:
    topic = world.topic(partitions=3)
    headers = (("traceparent", b"00-1"), ("empty", b""), ("none", None), ("traceparent", b"00-2"))
    publisher = world.broker.publisher()
    told: list[Exception | None] = []
    for value in (b"one", None):
        publisher.publish(Message(topic, b"same key", value, headers), told.append)
    assert publisher.flush(TIMEOUT) == 0
    assert told == [None, None]
    publisher.close()
    reader = world.broker.reader([topic], from_beginning=True)
    records = []
    while not reader.at_end():
        records += reader.poll(10, 0.05)
    reader.close()
    assert [record.value for record in records] == [b"one", None]
    assert {record.partition.number for record in records} == {records[0].partition.number}
    assert [record.offset for record in records] == [0, 1]
    assert all(record.key == b"same key" and record.headers == headers for record in records)
    assert all(record.timestamp > 1_600_000_000_000 for record in records)


# Offsets within the transaction


def test_offsets_and_metadata_are_committed_with_the_transaction(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    member, producer = world.member(topic), world.producer()
    member.start(partition)
    assert member.consumer.committed([partition], TIMEOUT) == {partition: None}
    assert member.consumer.member_id()
    world.commit_offset(producer, member, partition, Commit(3, "x" * 3_000))
    assert member.consumer.committed([partition], TIMEOUT) == {partition: Commit(3, "x" * 3_000)}
    producer.begin()
    producer.send_offsets({partition: Commit(9, "never")}, member.consumer.group_metadata(), TIMEOUT)
    producer.abort(TIMEOUT)
    assert member.consumer.committed([partition], TIMEOUT) == {partition: Commit(3, "x" * 3_000)}


def test_too_large_metadata_is_refused_and_the_next_transaction_succeeds(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    member, producer = world.member(topic), world.producer()
    member.start(partition)
    producer.begin()
    producer.produce(Message(topic, b"key", b"gone", partition=0))
    world.settle(producer)
    with pytest.raises(MetadataTooLarge):
        producer.send_offsets({partition: Commit(1, "x" * 4_096)}, member.consumer.group_metadata(), TIMEOUT)
    with pytest.raises(AbortRequired):
        producer.commit(TIMEOUT)
    producer.abort(TIMEOUT)
    world.commit_offset(producer, member, partition, Commit(2, "x" * 4_095))
    assert member.consumer.committed([partition], TIMEOUT) == {partition: Commit(2, "x" * 4_095)}
    member.until(lambda: member.consumer.position(partition) == 2)
    assert member.records == []


def test_committed_waits_behind_the_offsets_of_an_open_transaction(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    member, producer = world.member(topic), world.producer()
    member.start(partition)
    second = world.consumer()
    producer.begin()
    producer.send_offsets({partition: Commit(5, "")}, member.consumer.group_metadata(), TIMEOUT)
    with pytest.raises(Retriable):
        second.committed([partition], 0.3)
    producer.commit(TIMEOUT)
    assert second.committed([partition], TIMEOUT) == {partition: Commit(5, "")}


def test_a_valid_member_may_commit_what_it_does_not_own(world: World) -> None:
    topic, foreign = world.topic(), world.topic(name="foreign")
    member, producer = world.member(topic), world.producer()
    member.start(Partition(topic, 0))
    elsewhere = Partition(foreign, 0)
    world.commit_offset(producer, member, elsewhere, Commit(1, "not mine"))
    assert member.consumer.committed([elsewhere], TIMEOUT) == {elsewhere: Commit(1, "not mine")}


# Fencing and eviction


def test_init_of_the_same_transactional_id_fences_and_aborts(world: World) -> None:
    topic = world.topic()
    first = world.producer("fenced-" + world.group)
    first.begin()
    first.produce(Message(topic, b"key", b"old", partition=0))
    world.settle(first)
    second = world.producer("fenced-" + world.group)
    with pytest.raises(Fenced):
        first.commit(TIMEOUT)
    world.transact(second, topic, b"new")
    reader = world.broker.reader([topic], from_beginning=True)
    values = []
    while not reader.at_end():
        values += [record.value for record in reader.poll(10, 0.05)]
    reader.close()
    assert values == [b"new"]


def test_an_evicted_member_is_refused_and_told_of_its_loss(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    evicted, producer = world.member(topic, world.impatient), world.producer()
    evicted.start(partition)
    proof = evicted.consumer.group_metadata()
    successor = world.member(topic)
    successor.until(lambda: partition in successor.listener.owned)  # the other one does not poll
    producer.begin()
    with pytest.raises(AbortRequired):
        producer.send_offsets({partition: Commit(1, "")}, proof, TIMEOUT)
    producer.abort(TIMEOUT)
    assert successor.consumer.committed([partition], TIMEOUT) == {partition: None}
    world.commit_offset(producer, successor, partition, Commit(1, ""))
    evicted.until(lambda: bool(evicted.listener.lost_now), successor)
    assert evicted.listener.lost_now == [partition]
    assert evicted.listener.revoked_now == []


def test_group_metadata_of_no_member_is_accepted(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    stranger, producer = world.consumer(), world.producer()
    assert stranger.member_id() == ""
    producer.begin()
    producer.send_offsets({partition: Commit(4, "")}, stranger.group_metadata(), TIMEOUT)
    producer.commit(TIMEOUT)
    assert stranger.committed([partition], TIMEOUT) == {partition: Commit(4, "")}


# Rebalances, start and stop


def test_two_members_share_and_take_over(world: World) -> None:
    topic = world.topic(partitions=2)
    both = {Partition(topic, 0), Partition(topic, 1)}
    first = world.member(topic)
    first.start(*both)
    second = world.member(topic)
    first.until(lambda: len(second.listener.owned) == 1, second)
    assert first.listener.owned | second.listener.owned == both
    assert set(first.listener.revoked_now) == second.listener.owned
    (kept,), (moved,) = first.listener.owned, second.listener.owned
    second.start(moved)
    world.write(topic, b"kept", partition=kept.number)
    world.write(topic, b"moved", partition=moved.number)
    first.until(lambda: bool(first.records and second.records), second)
    assert (first.values, second.values) == ([b"kept"], [b"moved"])
    second.consumer.close()
    assert second.listener.revoked_now == [moved]
    first.until(lambda: first.listener.owned == both)


def test_an_assigned_partition_delivers_nothing_before_it_is_started(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    world.write(topic, b"a", b"b")
    member = world.member(topic)
    member.until(lambda: partition in member.listener.owned)
    member.idle()
    assert member.records == []
    member.consumer.start(partition, 1)
    member.until(lambda: bool(member.records))
    assert member.values == [b"b"]
    member.consumer.stop(partition)
    world.write(topic, b"c")
    member.idle()
    assert member.values == [b"b"]
    member.consumer.start(partition, 0)
    member.until(lambda: len(member.records) == 4)
    assert member.values == [b"b", b"a", b"b", b"c"]


def test_offsets_can_be_committed_while_a_partition_is_revoked(world: World) -> None:
    topic = world.topic(partitions=2)
    first, producer = world.member(topic), world.producer()
    first.start(Partition(topic, 0), Partition(topic, 1))
    first.listener.on_revoked = lambda partitions: world.commit_offset(
        producer, first, partitions[0], Commit(7, "at the door")
    )
    second = world.member(topic)
    first.until(lambda: bool(second.listener.owned), second)
    first.listener.on_revoked = lambda partitions: None
    (moved,) = second.listener.owned
    assert second.consumer.committed([moved], TIMEOUT) == {moved: Commit(7, "at the door")}


def test_closing_revokes_what_was_never_started(world: World) -> None:
    topic = world.topic()
    member = world.member(topic)
    member.until(lambda: bool(member.listener.owned))
    member.consumer.close()
    member.consumer.close()
    assert member.listener.revoked_now == [Partition(topic, 0)]


def test_offsets_can_be_committed_while_closing_after_a_rebalance(world: World) -> None:
    topic = world.topic(partitions=2)
    first, producer = world.member(topic), world.producer()
    first.start(Partition(topic, 0), Partition(topic, 1))
    second = world.member(topic)
    first.until(lambda: bool(second.listener.owned), second)
    (kept,) = first.listener.owned
    first.listener.on_revoked = lambda partitions: world.commit_offset(
        producer, first, partitions[0], Commit(7, "leaving")
    )
    first.consumer.close()
    assert second.consumer.committed([kept], TIMEOUT) == {kept: Commit(7, "leaving")}


def test_an_error_of_the_listener_leaves_poll(world: World) -> None:
    topic = world.topic()
    member = world.member(topic)

    def fail(partitions: object) -> None:
        raise RuntimeError("told so")

    member.listener.assigned = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="told so"):
        member.idle(200)


def test_a_paused_partition_keeps_its_place(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    world.write(topic, b"a")
    member = world.member(topic)
    member.start(partition)
    member.until(lambda: bool(member.records))
    member.consumer.pause([partition])
    world.write(topic, b"b")
    member.idle()
    assert member.values == [b"a"]
    assert member.consumer.position(partition) == 1
    member.consumer.resume([partition])
    member.until(lambda: len(member.records) == 2)
    assert member.values == [b"a", b"b"]


def test_a_pause_ends_with_the_start_that_it_belongs_to(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    world.write(topic, b"a")
    member = world.member(topic)
    member.start(partition)
    member.consumer.pause([partition])
    member.consumer.stop(partition)
    member.consumer.start(partition, 0)
    member.until(lambda: bool(member.records))
    assert member.values == [b"a"]


# Misuse


def test_calls_out_of_order_are_fatal(world: World) -> None:
    topic = world.topic()
    producer = world.producer()
    with pytest.raises(FatalClient):
        world.broker.producer(world.unique("uninitialised")).begin()
    producer.begin()
    with pytest.raises(FatalClient):
        producer.begin()
    producer.produce(Message(topic, b"key", b"a", partition=0))
    producer.commit(TIMEOUT)


# Administration and readers


def test_admin_creates_and_describes_topics(world: World) -> None:
    name = world.unique("made")
    assert world.admin.topics([name], TIMEOUT) == {name: None}
    assert world.admin.create_topic(name, 3, 1, {"max.message.bytes": "2000000"}, TIMEOUT)
    assert not world.admin.create_topic(name, 5, 1, {}, TIMEOUT)
    topic = world.admin.topics([name], TIMEOUT)[name]
    assert topic is not None
    assert (topic.name, topic.partitions, topic.replication) == (name, 3, 1)
    assert topic.config["max.message.bytes"] == "2000000"
    other = world.admin.topics([world.topic()], TIMEOUT).popitem()[1]
    assert other is not None
    assert topic.id != other.id
    assert topic.id.int
    assert world.admin.topics([name], TIMEOUT)[name] == topic
    assert world.admin.cluster_id(TIMEOUT) == world.admin.cluster_id(TIMEOUT) != ""
    assert world.admin.low_watermarks([Partition(name, 2)], TIMEOUT) == {Partition(name, 2): 0}


def test_admin_sets_commits_only_of_a_group_without_members(world: World) -> None:
    topic = world.topic(partitions=2)
    zero, one = Partition(topic, 0), Partition(topic, 1)
    assert world.admin.commits(world.group, [zero, one], TIMEOUT) == {zero: None, one: None}
    world.admin.set_commits(world.group, {zero: Commit(0, "made here")}, TIMEOUT)
    assert world.admin.commits(world.group, [zero, one], TIMEOUT) == {zero: Commit(0, "made here"), one: None}
    member = world.member(topic)
    member.until(lambda: bool(member.listener.owned))
    with pytest.raises(ConfigurationError, match="has members"):
        world.admin.set_commits(world.group, {one: Commit(0, "")}, TIMEOUT)
    assert member.consumer.committed([zero, one], TIMEOUT) == {zero: Commit(0, "made here"), one: None}


def test_admin_counts_the_members_of_a_group(world: World) -> None:
    assert world.admin.members(world.group, TIMEOUT) == 0
    topic = world.topic(partitions=2)
    one, other = world.member(topic), world.member(topic)
    one.until(lambda: bool(one.listener.owned) and bool(other.listener.owned), other)
    assert world.admin.members(world.group, TIMEOUT) == 2
    one.consumer.close()
    other.until(lambda: world.admin.members(world.group, TIMEOUT) == 1)
    other.consumer.close()
    assert world.admin.members(world.group, TIMEOUT) == 0


def test_a_reader_sees_what_is_committed_and_knows_the_end(world: World) -> None:
    topic = world.topic()
    producer = world.producer()
    world.transact(producer, topic, b"a")
    world.transact(producer, topic, b"no", commit=False)
    from_beginning = world.broker.reader([topic], from_beginning=True)
    from_end = world.broker.reader([topic], from_beginning=False)
    assert from_end.at_end()
    assert not from_beginning.at_end()
    values = []
    while not from_beginning.at_end():
        values += [record.value for record in from_beginning.poll(10, 0.05)]
    assert values == [b"a"]
    producer.begin()
    producer.produce(Message(topic, b"key", b"b", partition=0))
    world.settle(producer)
    assert from_end.poll(10, 0.3) == []
    producer.commit(TIMEOUT)
    late: list[bytes | None] = []
    while not late:
        late += [record.value for record in from_end.poll(10, 0.05)]
    assert late == [b"b"]
    for reader in (from_beginning, from_end):
        reader.close()


def test_a_reader_of_an_unknown_topic_is_told_so(world: World) -> None:
    with pytest.raises(ConfigurationError, match="no-such-topic"):
        world.broker.reader(["no-such-topic"], from_beginning=True)


def test_ends_are_stable_and_pass_markers_and_aborted_records(world: World) -> None:
    topic = world.topic(partitions=2)
    partition, empty = Partition(topic, 0), Partition(topic, 1)
    assert world.admin.ends([], TIMEOUT) == {}
    assert world.admin.ends([partition, empty], TIMEOUT) == {partition: 0, empty: 0}
    producer = world.producer()
    world.transact(producer, topic, b"a")
    world.transact(producer, topic, b"no", b"no", commit=False)
    world.ends_become({partition: 5, empty: 0})
    producer.begin()
    producer.produce(Message(topic, b"key", b"open", partition=0))
    world.settle(producer)
    world.write(topic, b"behind")
    assert world.admin.ends([partition], TIMEOUT) == {partition: 5}
    assert world.admin.high_watermarks([partition, empty], TIMEOUT) == {partition: 7, empty: 0}
    producer.commit(TIMEOUT)
    world.ends_become({partition: 8})


def test_a_reader_begins_at_positions_and_passes_what_is_aborted_at_the_end(world: World) -> None:
    topic = world.topic(partitions=2)
    zero, one = Partition(topic, 0), Partition(topic, 1)
    producer = world.producer()
    world.transact(producer, topic, b"a", b"b")
    world.write(topic, b"other", partition=1)
    world.transact(producer, topic, b"no", b"no", commit=False)
    ends = {zero: 6}
    world.ends_become(ends)
    reader = world.reader_from({zero: 1})
    assert not reader.has_read(ends)
    assert [(r.offset, r.value) for r in read(reader, lambda: reader.has_read(ends))] == [(1, b"b")]
    assert reader.at_end()
    # Where nothing but aborted records and markers is left, nothing is delivered, and it is passed all the same.
    rest = world.reader_from({zero: 2, one: 1})
    assert read(rest, rest.at_end) == []
    assert rest.has_read(world.admin.ends([zero, one], TIMEOUT))


def test_a_reader_begins_where_the_log_starts_when_retention_has_passed_its_position(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    world.write(topic, b"a", b"b", b"c", b"d")
    world.truncate(partition, 2)
    assert world.admin.low_watermarks([partition], TIMEOUT) == {partition: 2}
    reader = world.reader_from({partition: 1})
    assert [record.value for record in read(reader, reader.at_end)] == [b"c", b"d"]
    world.truncate(partition, 4)
    late = world.reader_from({partition: 0})
    assert late.at_end()
    assert late.has_read({partition: 4})
    assert world.admin.ends([partition], TIMEOUT) == {partition: 4}
    assert world.admin.offsets_at([partition], 0, TIMEOUT) == {partition: 4}


def test_a_reader_waits_for_a_position_that_is_not_there_yet(world: World) -> None:
    topic = world.topic()
    partition = Partition(topic, 0)
    world.write(topic, b"a")
    reader = world.reader_from({partition: 2})
    assert reader.at_end()
    assert not reader.has_read({partition: 3})
    world.write(topic, b"b", b"c", b"d")
    assert [record.value for record in read(reader, lambda: reader.has_read({partition: 4}))] == [b"c", b"d"]


def test_offsets_at_are_found_by_time_stamps(world: World) -> None:
    topic = world.topic(partitions=2)
    partition, empty = Partition(topic, 0), Partition(topic, 1)
    both = [partition, empty]
    reader = world.reader_from({partition: 0})
    written: list[int] = []
    for value in (b"a", b"b"):
        world.write(topic, value)
        (record,) = read(reader, lambda: reader.has_read({partition: len(written) + 1}))
        written.append(record.timestamp)
        reader.poll(1, 0.1)  # lets time pass, nothing is there
    a, b = written
    assert a < b
    assert world.admin.offsets_at([], a, TIMEOUT) == {}
    assert world.admin.offsets_at(both, -1, TIMEOUT) == {partition: 0, empty: 0}
    assert world.admin.offsets_at(both, a, TIMEOUT) == {partition: 0, empty: 0}
    assert world.admin.offsets_at(both, a + 1, TIMEOUT) == {partition: 1, empty: 0}
    assert world.admin.offsets_at(both, b + 1, TIMEOUT) == {partition: 2, empty: 0}
    producer = world.producer()
    world.transact(producer, topic, b"no", commit=False)
    world.ends_become({partition: 4})
    # A record of an aborted transaction, or its marker, may stand there.
    assert world.admin.offsets_at([partition], b + 1, TIMEOUT) == {partition: 2}
    producer.begin()
    producer.produce(Message(topic, b"key", b"open", partition=0))
    world.settle(producer)
    assert world.admin.offsets_at([partition], b + 3_600_000, TIMEOUT) == {partition: 4}
    producer.abort(TIMEOUT)
