from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import msgspec
import pytest

from streamer.clock import SystemClock
from streamer.errors import BrokerUnreachable, MetadataMismatch
from streamer.kafka.base import Commit, Message, Partition, Producer
from streamer.kafka.memory import MemoryCluster
from streamer.kafka.memory_admin import MemoryAdmin
from streamer.observe.logs import logger
from streamer.records import Position, SpeechReplayed
from streamer.wire import avro
from streamer.worker.replay.progress import Progress, Standing
from streamer.worker.replay.run import Range
from streamer.worker.replay.summary import Summary
from streamer.worker.replay.tally import Tally
from streamer.worker.replay.watch import Watch
from tests.downstream.test_follow import AGAIN
from tests.worker.builders import TOPIC, codec
from tests.worker.replay.test_run import RUN

REPLAYED = Partition("tts.replayed", 0)
REQUESTS = Partition(TOPIC, 0)
GROUP = RUN.group("streamer")


class Admin(MemoryAdmin):
    """One that is out of reach now and then."""

    away = 0

    def commits(self, group: str, partitions: object, timeout: float) -> dict[Partition, Commit | None]:
        if self.away:
            self.away -= 1
            raise BrokerUnreachable("nothing answered")
        return super().commits(group, partitions, timeout)  # type: ignore[arg-type]


class Replays:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._reader = cluster.broker().reader_from({REPLAYED: 0})

    def poll(self, timeout: float) -> list[SpeechReplayed]:
        return [avro.replayed().decode(record.value) for record in self._reader.poll(1, timeout)]

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        return self._reader.has_read(ends)


class Scene:
    """A run over two offsets, whose worker is the test."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(SystemClock())
        for partition in (REQUESTS, REPLAYED):
            self.cluster.create_topic(partition.topic, 1)
        self.admin = Admin(self.cluster)
        self.shown: list[Standing] = []
        run = msgspec.structs.replace(RUN, ranges={0: Range(0, 2)})
        self.watch = Watch(
            Progress(self.admin, codec(), run, "streamer", TOPIC),
            Replays(self.cluster),
            self.admin,
            [REPLAYED],
            Tally(run),
            lambda standing, summary: self.shown.append(standing),
            self.cluster.clock,
            logger("error"),
        )

    def commit(self, offset: int) -> None:
        self.cluster.group(GROUP).commits[REQUESTS] = codec().encode(offset, (), offset)

    def result(self, outcome: str = "identical", producer: Producer | None = None, offset: int = 0) -> None:
        position = Position(topic=TOPIC, partition=0, offset=offset)
        value = avro.replayed().encode(msgspec.structs.replace(AGAIN, outcome=outcome, position=position))
        message = Message(REPLAYED.topic, b"k", value, partition=0)
        if producer is None:
            self.cluster.append(message)
        else:
            producer.produce(message)

    def producer(self) -> Producer:
        producer = self.cluster.broker().producer("other")
        producer.init(1)
        return producer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the condition never came to hold")
        time.sleep(0.01)


def test_it_is_over_once_all_is_committed_by_whomever() -> None:
    scene = Scene()
    scene.commit(1)
    scene.watch.start()
    until(lambda: bool(scene.shown))
    assert scene.shown == [Standing(1, 2, finished=False)] * len(scene.shown)
    assert not scene.watch.over()
    scene.commit(2)
    until(scene.watch.over)
    assert scene.shown[-1] == Standing(2, 2, finished=True)
    scene.watch.close()
    assert scene.watch.finished()


def test_what_was_done_before_it_was_started_is_counted() -> None:
    scene = Scene()
    scene.result()
    scene.result("different", offset=1)
    scene.commit(2)
    assert scene.watch.finished()
    summary = scene.watch.conclude(lambda: False)
    assert summary is not None
    assert (summary.outcomes["identical"], summary.outcomes["different"]) == (1, 1)


def test_results_are_waited_for_whose_offsets_are_seen_committed_first() -> None:
    scene = Scene()
    other = scene.producer()
    other.begin()
    scene.result(producer=other)
    scene.commit(2)
    found: list[Summary | None] = []
    thread = threading.Thread(target=lambda: found.append(scene.watch.conclude(lambda: False)))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    other.commit(1)
    thread.join(30)
    assert [summary.records for summary in found if summary] == [1]


def test_waiting_for_results_ends_when_asked_to() -> None:
    scene = Scene()
    producer = scene.producer()
    producer.begin()
    scene.result(producer=producer)
    assert scene.watch.conclude(lambda: True) is None


def test_a_broker_that_is_away_is_asked_again() -> None:
    scene = Scene()
    scene.admin.away = 2
    scene.commit(2)
    assert not scene.watch.finished()
    scene.watch.start()
    until(scene.watch.over)
    scene.watch.close()
    assert scene.watch.finished()


def test_what_it_dies_of_is_told_and_ends_the_run_here() -> None:
    scene = Scene()
    scene.cluster.group(GROUP).commits[REQUESTS] = Commit(2, "by hand")
    scene.watch.start()
    until(scene.watch.over)
    with pytest.raises(MetadataMismatch, match="by hand"):
        scene.watch.close()
