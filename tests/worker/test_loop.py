from __future__ import annotations

import pytest

from streamer.clock import ManualClock
from streamer.errors import Fenced, OutcomeUnknown, RetentionPassed, Retriable
from streamer.kafka.base import Commit, Message, Partition
from streamer.kafka.memory import Faults
from streamer.worker.metadata import LIMIT
from tests.worker.builders import TOPIC, Rig, Running

LONG = "a text of many words " * 3


class Planned(Faults):
    """Raises what is planned for an operation, before or after it happened."""

    def __init__(self) -> None:
        self.first: dict[str, list[Exception]] = {}
        self.then: dict[str, list[Exception]] = {}
        self.early = False

    def before(self, operation: str) -> None:
        for error in self.first.get(operation, [])[:1]:
            self.first[operation].remove(error)
            raise error

    def after(self, operation: str) -> None:
        for error in self.then.get(operation, [])[:1]:
            self.then[operation].remove(error)
            raise error

    def fetches_before_rebalance(self) -> bool:
        return self.early


def ids(rig: Rig) -> list[str]:
    return sorted(result.id for result in rig.completed())


def positions(running: Running) -> dict[Partition, int]:
    """Where it reads on, by partition that it has started."""
    return {tenure.partition: ledger.position for tenure, ledger in running.worker._running()}


def test_requests_become_results_once() -> None:
    rig = Rig(partitions=3)
    for number in range(30):
        rig.publish(f"id-{number}", partition=number % 3)
    running = rig.worker()
    member = [running.worker.member]
    running.until(lambda: len(rig.completed()) == 30)
    member.append(running.worker.member)
    assert member == [False, True]
    running.turn(5)
    assert ids(rig) == sorted(f"id-{number}" for number in range(30))
    assert not running.worker.busy
    assert running.worker.held == 0
    assert [rig.commit(number).offset for number in range(3)] == [10, 10, 10]


def test_a_short_text_behind_a_long_one_completes_first() -> None:
    rig = Rig()
    rig.publish("long", LONG)
    rig.publish("short")
    running = rig.worker()
    running.engine.held.add(LONG)
    running.until(lambda: ids(rig) == ["short"])
    assert rig.commit().offset == 0
    heir = rig.worker("b")  # after a crash: `a` says nothing any more
    rig.clock.advance(7)
    heir.until(lambda: len(rig.completed()) == 2)
    assert ids(rig) == ["long", "short"]
    assert heir.engine.submitted == [LONG]
    assert rig.commit().offset == 2


def test_a_full_worker_pauses_and_resumes_with_a_gap() -> None:
    rig = Rig(capacity=200, poll_records=1, resume_share=0.5)
    for number in range(200):
        rig.publish(str(number), "word")
    running = rig.worker()
    running.engine.held.add("word")

    def loaded() -> bool:
        return any(tenure.paused for tenure, _ in running.worker._running())

    running.until(loaded)
    full = running.worker.held
    running.turn(10)
    assert running.worker.held == full  # nothing more is read
    load = running.worker._pipeline.load
    assert 400 <= load < 420
    running.engine.held.clear()
    lowest = [load]

    def resumed() -> bool:
        lowest.append(running.worker._pipeline.load)
        return not loaded()

    running.until(resumed)
    assert lowest[-1] < 200


def test_the_window_bounds_what_is_open() -> None:
    rig = Rig(window=20, poll_records=5)
    rig.publish("long", LONG)
    for number in range(100):
        rig.publish(f"id-{number}")
    running = rig.worker()
    running.engine.held.add(LONG)
    running.until(lambda: len(rig.completed()) >= 19)
    running.turn(50)
    assert rig.commit().offset == 0
    assert 20 <= positions(running)[Partition(TOPIC, 0)] <= 25
    running.engine.held.clear()
    running.until(lambda: len(rig.completed()) == 101)
    assert rig.commit().offset == 101


def test_one_partitions_window_does_not_stop_the_others() -> None:
    rig = Rig(partitions=2, window=10, poll_records=5)
    rig.publish("long", LONG)
    for number in range(40):
        rig.publish(f"id-{number}", partition=number % 2)
    running = rig.worker()
    running.engine.held.add(LONG)
    running.until(lambda: rig.commit(1).offset == 20)
    assert rig.commit(0).offset == 0


def test_the_store_is_down_nothing_is_lost() -> None:
    rig = Rig(poll_records=5)
    for number in range(20):
        rig.publish(f"id-{number}")
    running = rig.worker()
    running.until(lambda: bool(positions(running)))
    rig.store.down = True
    running.turn(50)
    held = running.worker.held
    assert 0 < held <= 10
    running.turn(50)
    assert running.worker.held == held
    rig.store.down = False
    running.until(lambda: len(rig.completed()) == 20, turns=2000)


def test_drain_finishes_what_was_received() -> None:
    rig = Rig(poll_records=5)
    for number in range(40):
        rig.publish(f"id-{number}")
    running = rig.worker()
    running.until(lambda: running.worker.held > 0)
    for _ in range(200):
        if running.worker.drain():
            break
        running.others()
        rig.clock.advance(0.01)
    assert running.worker.held == 0
    done = len(rig.completed())
    assert 0 < done < 40
    assert rig.commit().offset == done
    running.worker.close()
    rig.worker("b").until(lambda: len(rig.completed()) == 40)
    assert len(set(ids(rig))) == 40


def test_drain_reads_nothing_more() -> None:
    rig = Rig(poll_records=5)
    for number in range(40):
        rig.publish(f"id-{number}")
    running = rig.worker()
    running.until(lambda: running.worker.held > 0)
    before = positions(running)
    running.worker.drain()
    assert positions(running) == before


def test_partitions_that_come_while_draining_are_left_unopened() -> None:
    rig = Rig()
    rig.publish("a")
    running = rig.worker()
    assert running.worker.drain()
    assert running.worker.drain()
    assert positions(running) == {}


def test_a_revoked_partition_is_committed_before_it_goes() -> None:
    rig = Rig(partitions=2, commit_interval=5)
    for partition in (0, 1):
        rig.publish(f"id-{partition}", partition=partition)
    first = rig.worker("a")
    first.until(lambda: sum(ledger.settled for _, ledger in first.worker._running()) == 2, turns=20)
    assert rig.completed() == []
    second = rig.worker("b")
    second.worker.turn()
    first.worker.turn()
    assert ids(rig) == ["id-0", "id-1"]
    assert len(positions(first)) == 1


def test_what_is_lost_is_not_committed() -> None:
    rig = Rig(commit_interval=5)
    rig.publish("a")
    first = rig.worker("a")
    first.until(lambda: sum(ledger.settled for _, ledger in first.worker._running()) == 1, turns=20)
    second = rig.worker("b")
    rig.clock.advance(7)
    second.worker.turn()  # evicts the silent first
    first.worker.turn()
    assert first.worker.held == 0
    assert rig.completed() == []
    assert rig.commit() == Commit(0, rig.commit().metadata)
    second.until(lambda: ids(rig) == ["a"], turns=1000)
    first.turn(20)
    assert len(rig.completed()) == 1


def test_records_of_a_partition_that_left_within_the_poll_are_dropped() -> None:
    faults = Planned()
    rig = Rig(partitions=2, faults=faults, poll_records=5)
    first = rig.worker("a")
    first.until(lambda: len(positions(first)) == 2)
    second = rig.worker("b")
    second.worker.turn()
    for partition in (0, 1):
        rig.publish(f"id-{partition}", partition=partition)
    faults.early = True
    first.worker.turn()
    faults.early = False
    assert len(positions(first)) == 1
    assert first.worker.held == 1
    second.until(lambda: len(rig.completed()) == 1)
    first.until(lambda: len(rig.completed()) == 2)
    assert (len(first.engine.submitted), len(second.engine.submitted)) == (1, 1)


def test_an_unknown_outcome_that_was_committed_is_not_emitted_again() -> None:
    faults = Planned()
    rig = Rig(faults=faults)
    rig.publish("a")
    faults.then["commit"] = [OutcomeUnknown("no answer")]
    running = rig.worker()
    running.until(lambda: ids(rig) == ["a"])
    running.until(lambda: bool(positions(running)))
    running.turn(20)
    assert len(rig.completed()) == 1
    assert running.worker.held == 0


def test_an_unknown_outcome_that_was_not_committed_is_done_again() -> None:
    faults = Planned()
    rig = Rig(faults=faults)
    rig.publish("a")
    running = rig.worker()
    running.until(lambda: running.worker.held > 0)
    faults.first["commit"] = [OutcomeUnknown("not sent")]
    faults.first["init"] = [Retriable("no coordinator"), Retriable("no coordinator")]
    running.until(lambda: ids(rig) == ["a"])
    assert faults.first == {"commit": [], "init": []}
    assert running.engine.submitted == ["hello"]  # the verdict stands
    assert rig.commit().offset == 1


def test_an_aborted_transaction_goes_into_the_next() -> None:
    rig = Rig()
    rig.publish("a")
    running = rig.worker()
    running.until(lambda: running.worker.held > 0)
    evicted = running.worker._consumer
    member = running.worker._consumer.member_id
    evicted.member_id = lambda: ""  # type: ignore[method-assign]
    running.turn(60)
    assert running.worker.busy
    assert rig.completed() == []
    evicted.member_id = member  # type: ignore[method-assign]
    running.until(lambda: ids(rig) == ["a"])


def test_refused_metadata_is_made_shorter() -> None:
    rig = Rig()
    rig.publish("long", LONG)
    for number in range(120):
        rig.publish(f"id-{number}", LONG if number % 2 else "hello")
    running = rig.worker()
    running.engine.held.add(LONG)
    rig.cluster.metadata_limit = 66
    running.until(lambda: len(rig.completed()) > 2)
    assert len(rig.commit().metadata) <= 66
    assert running.worker._metadata_limit < LIMIT
    running.engine.held.clear()
    running.until(lambda: len(rig.completed()) == 121, turns=2000)
    assert len(set(ids(rig))) == 121


def test_markers_at_the_end_are_passed_when_idle() -> None:
    rig = Rig()
    rig.publish("a")
    sender = rig.cluster.broker().producer("sender")
    sender.init(1)
    sender.begin()
    sender.produce(Message(topic=TOPIC, key=b"k", value=b"aborted", partition=0))
    sender.abort(1)
    running = rig.worker()
    running.until(lambda: rig.commit().offset == rig.cluster.log(Partition(TOPIC, 0)).end == 3)
    assert ids(rig) == ["a"]


def pending(rig: Rig, partition: int) -> None:
    """A worker died within a transaction that holds offsets of the partition."""
    dead = rig.cluster.broker().producer("streamer-dead")
    dead.init(1)
    dead.begin()
    consumer = rig.cluster.broker().consumer("another", "dead")
    offsets = {Partition(TOPIC, partition): rig.commit(partition)}
    dead.send_offsets(offsets, consumer.group_metadata(), 1)
    transaction = rig.cluster._producers["streamer-dead"].transaction
    assert transaction is not None
    transaction.offsets = {("streamer", at): commit for (_, at), commit in transaction.offsets.items()}


def test_what_runs_goes_on_while_a_partition_waits_for_its_offset() -> None:
    rig = Rig(partitions=2)
    running = rig.worker()
    pending(rig, 1)
    running.until(lambda: positions(running).keys() == {Partition(TOPIC, 0)})
    for partition in (0, 1):
        rig.publish(f"id-{partition}", partition=partition)
    running.until(lambda: ids(rig) == ["id-0"])
    running.until(lambda: ids(rig) == ["id-0", "id-1"], turns=1500)


def test_a_partition_that_waits_does_not_keep_others_from_opening() -> None:
    rig = Rig(partitions=2)
    running = rig.worker()
    pending(rig, 0)
    running.until(lambda: Partition(TOPIC, 1) in positions(running), turns=50)


def test_retention_that_passes_a_reader_stops_it() -> None:
    rig = Rig(window=1, poll_records=1)
    for number in range(10):
        rig.publish(f"id-{number}")
    running = rig.worker()
    running.engine.held.add("hello")
    running.until(lambda: running.worker.held == 1)
    rig.cluster.log(Partition(TOPIC, 0)).low = 5
    running.engine.held.clear()
    with pytest.raises(RetentionPassed):
        running.turn(300)


def test_a_second_worker_of_the_same_name_fences_the_first() -> None:
    rig = Rig(partitions=2)
    first = rig.worker("same")
    first.until(lambda: len(positions(first)) == 2)
    second = rig.worker("same")
    rig.publish("a")
    rig.publish("b", partition=1)
    with pytest.raises(Fenced):
        for _ in range(100):
            second.turn()
            first.turn()
            rig.clock.advance(0.01)


def test_results_are_committed_by_count_before_their_time() -> None:
    rig = Rig(commit_interval=5, commit_results=3)
    running = rig.worker()
    running.until(lambda: bool(positions(running)))
    for number in range(2):
        rig.publish(f"id-{number}")
    running.turn(10)
    assert rig.completed() == []
    rig.publish("id-2")
    running.turn(10)
    assert len(rig.completed()) == 3


def test_closing_commits_and_leaves_the_group() -> None:
    rig = Rig(commit_interval=5)
    rig.publish("a")
    running = rig.worker()
    running.until(lambda: sum(ledger.settled for _, ledger in running.worker._running()) == 1, turns=20)
    running.worker.close()
    assert ids(rig) == ["a"]
    assert rig.cluster.group("streamer").members == {}
    assert isinstance(rig.clock, ManualClock)
