"""The ends of a range in a real log: markers and aborted records there, and retention that overtakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from streamer.clock import SystemClock
from streamer.kafka.base import Message, Partition
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.records import SpeechReplayed
from streamer.settings import Kafka, Settings, Topics, load
from streamer.store.groups import Groups
from streamer.store.memory import MemoryStore
from streamer.worker.assembly import Surroundings, assemble_replay
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.replay.run import Mode, Range, Run
from streamer.worker.synthesis import EngineHost
from tests.worker.builders import CODECS, NO_EVENTS, STORE_ID, VOICES, HandPool, encoded
from tests.worker.replay.rig import Heard, tone

pytestmark = pytest.mark.broker

TIMEOUT = 15.0
PATIENCE = 60.0
NAMES = ("requests", "completed", "failed", "replayed")


class Log:
    """Topics of a real Kafka, and runs over their requests, none of which anybody answered."""

    def __init__(self, servers: str, unique: Callable[[str], str]) -> None:
        self.names = Topics(**{name: unique(name) for name in NAMES})
        kafka = Kafka(bootstrap_servers=servers, topics=self.names, group=unique("group"), single_broker=True)
        self.settings: Settings = load(None).model_copy(update={"kafka": kafka})
        self.broker = ConfluentBroker(kafka, logger("error"))
        self.admin = self.broker.admin()
        for name in NAMES:
            self.admin.create_topic(getattr(self.names, name), 3, 1, {}, TIMEOUT)
        self.store, self.log, self.pool = MemoryStore(), Heard(), HandPool()
        Groups(self.store).make_store_id(STORE_ID)
        self._workers: list[Worker] = []
        self._truncating = AdminClient({"bootstrap.servers": servers})

    def publish(self, partition: int, *ids: str) -> None:
        publisher = self.broker.publisher()
        for id in ids:
            publisher.publish(self._message(partition, id), lambda error: None)
        assert publisher.flush(TIMEOUT) == 0
        publisher.close()

    def abort(self, partition: int, *ids: str) -> None:
        """Records that nobody reads, and their marker."""
        producer = self.broker.producer(f"{self.names.requests}-sender")
        producer.init(TIMEOUT)
        producer.begin()
        for id in ids:
            producer.produce(self._message(partition, id))
        producer._client.flush(TIMEOUT)  # type: ignore[attr-defined]  # else the abort drops what is not sent yet
        producer.abort(TIMEOUT)
        producer.close()

    def _message(self, partition: int, id: str) -> Message:
        return Message(topic=self.names.requests, key=id.encode(), value=encoded(id), partition=partition)

    def truncate(self, partition: int, offset: int) -> None:
        at = TopicPartition(self.names.requests, partition, offset)
        (future,) = self._truncating.delete_records([at]).values()
        future.result(TIMEOUT)

    def ends(self) -> dict[int, int]:
        partitions = [Partition(self.names.requests, number) for number in range(3)]
        return {partition.number: end for partition, end in self.admin.ends(partitions, TIMEOUT).items()}

    def ends_become(self, ends: dict[int, int]) -> None:
        """The broker writes markers after an abort has returned."""
        deadline = time.monotonic() + PATIENCE
        while self.ends() != ends:
            assert time.monotonic() < deadline, self.ends()
            time.sleep(0.05)

    def run(self) -> Run:
        ranges = {number: Range(0, end) for number, end in self.ends().items()}
        return Run(name="run", number=1, mode=Mode.VERIFY, asked="{}", ranges=ranges, replayed_from={}, created_at=0)

    def worker(self, run: Run, **limits: int) -> Worker:
        worker_settings = self.settings.worker.model_copy(update=limits)
        clock = SystemClock()
        around = Surroundings(
            self.broker,
            self.store,
            EngineHost(tone(), clock),
            self.pool,
            CODECS,
            VOICES,
            NO_EVENTS,
            clock,
            self.log,
            Metrics(CollectorRegistry()),
            Liveness(clock),
        )
        settings = self.settings.model_copy(update={"worker": worker_settings})
        worker = assemble_replay(around, settings, run, "only")
        self._workers.append(worker)
        worker.begin(self.names.requests)
        return worker

    def until(self, worker: Worker, condition: Callable[[], bool], *, working: bool = True) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the condition never came to hold"
            worker.turn()
            if working:
                self.pool.work()

    def committed(self, run: Run) -> dict[int, int]:
        partitions = [Partition(self.names.requests, number) for number in range(3)]
        commits = self.admin.commits(run.group(self.settings.kafka.group), partitions, TIMEOUT)
        return {partition.number: commit.offset for partition, commit in commits.items() if commit is not None}

    def replayed(self) -> list[SpeechReplayed]:
        reader = self.broker.reader([self.names.replayed], from_beginning=True)
        records = []
        while not reader.at_end():
            records += reader.poll(500, 0.1)
        reader.close()
        return [CODECS.replayed.decode(record.value) for record in records]

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


@pytest.fixture
def log(kafka: str, unique: Callable[[str], str]) -> Iterator[Log]:
    made = Log(kafka, unique)
    yield made
    made.close()


@pytest.mark.parametrize("behind", [False, True])
def test_a_run_ends_behind_markers_and_aborted_records(log: Log, behind: bool) -> None:
    """Of one partition nothing is ever delivered, another is empty."""
    log.publish(0, "a", "b")
    log.abort(0, "x", "y", "z")
    log.abort(1, "x")
    log.ends_become({0: 6, 1: 2, 2: 0})
    run = log.run()
    if behind:
        for partition in range(3):
            log.publish(partition, "late")
    worker = log.worker(run)
    log.until(worker, lambda: log.committed(run) == {0: 6, 1: 2})
    # Their topic has several partitions: a reader sees the two in any order.
    assert sorted((one.id, one.reasons) for one in log.replayed()) == [("a", ["undecided"]), ("b", ["undecided"])]
    for _ in range(20):
        worker.turn()
        log.pool.work()
    assert log.committed(run) == {0: 6, 1: 2}
    assert len(log.replayed()) == 2


def test_retention_that_overtakes_a_run_does_not_stop_it(log: Log) -> None:
    log.publish(0, *map(str, range(60)))
    run = log.run()
    worker = log.worker(run, window=1, poll_records=1)
    log.until(worker, lambda: worker.held > 0, working=False)
    for _ in range(5):
        worker.turn()  # paused: what was fetched ahead is thrown away
    log.truncate(0, 50)
    log.until(worker, lambda: log.committed(run) == {0: 60})
    offsets = [one.position.offset for one in log.replayed()]
    assert sorted(set(offsets)) == sorted(offsets)
    assert set(range(50, 60)) <= set(offsets)
    assert "retention has passed what a run was reading" in [event for event, _ in log.log.warnings]


def test_retention_that_took_a_whole_range_finishes_it(log: Log) -> None:
    log.publish(0, "a", "b")
    run = log.run()
    log.publish(0, "c", "d")
    log.truncate(0, 3)
    worker = log.worker(run)
    log.until(worker, lambda: log.committed(run) == {0: 2})
    for _ in range(10):
        worker.turn()
    assert log.replayed() == []
