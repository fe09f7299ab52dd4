from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from streamer.errors import DeadLetterLimit, FatalClient, NotInitialised
from streamer.observe.logs import logger
from streamer.store.attempts import Attempts, Note, Suspect
from streamer.worker.running import run
from tests.worker.builders import TOPIC, Rig, Running, WorkingClock


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """`run` tunes the garbage collector of its process, which here is the tests'."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Process:
    """A worker process whose engine and pool work while it polls; SIGTERM comes as `stopping` says."""

    def __init__(self, **worker: object) -> None:
        self.clock = WorkingClock()
        self.rig = Rig(clock=self.clock, **worker)  # type: ignore[arg-type]
        self.running: Running = self.rig.worker(begin=False)
        self.clock.work = self.running.others
        self.said: list[str] = []
        self.turns = 0

    def run(self, turns: int, drain_timeout: float = 20) -> None:
        def stopping() -> bool:
            self.turns += 1
            return self.turns > turns

        run(
            self.running.worker,
            TOPIC,
            stopping,
            lambda: self.said.append("ready"),
            clock=self.clock,
            drain_timeout=drain_timeout,
            log=logger("error"),
        )


def test_ready_is_said_once_and_as_a_member() -> None:
    process = Process()
    process.run(0)
    assert process.said == []
    process = Process()
    process.run(20)
    assert process.said == ["ready"]


def test_asked_to_stop_it_finishes_what_it_received() -> None:
    process = Process()
    for number in range(5):
        process.rig.publish(f"id-{number}")
    process.run(2)
    assert len(process.rig.completed()) == 5
    assert process.rig.commit().offset == 5
    assert process.rig.cluster.group("streamer").members == {}


def test_a_drain_ends_within_its_bound() -> None:
    process = Process()
    process.running.engine.held.add("endless")
    process.rig.publish("a", "endless")
    process.rig.publish("b")
    before = process.clock.monotonic()
    process.run(5, drain_timeout=3)
    assert 3 <= process.clock.monotonic() - before < 5
    assert [result.id for result in process.rig.completed()] == ["b"]
    assert process.rig.commit().offset == 0
    assert process.rig.cluster.group("streamer").members == {}
    process.rig.worker("b").until(lambda: len(process.rig.completed()) == 2)


def test_where_a_person_must_look_what_is_durable_is_committed_first() -> None:
    process = Process(commit_interval=5, dead_letter_window=1)
    process.rig.publish("a")
    process.running.engine.fails.add("bad")
    process.clock.advance(6)
    for number in range(5):
        process.rig.publish(f"bad-{number}", "bad")
    with pytest.raises(DeadLetterLimit):
        process.run(500)
    assert [result.id for result in process.rig.completed()] == ["a"]
    assert process.rig.failed() == []
    assert process.rig.cluster.group("streamer").members == {}


def test_a_start_that_is_not_there_leaves_the_group() -> None:
    process = Process()
    process.rig.set_commit(None)
    process.rig.store._objects = {k: v for k, v in process.rig.store._objects.items() if not k.startswith("groups/")}
    with pytest.raises(NotInitialised):
        process.run(20)
    assert process.rig.cluster.group("streamer").members == {}


def test_what_is_under_way_when_a_client_of_kafka_breaks_is_not_to_blame() -> None:
    process = Process()
    process.rig.publish("a", "one")
    topic = process.rig.cluster.topic(TOPIC)
    assert topic is not None
    attempts = Attempts(process.rig.store, topic.id, process.rig.settings.kafka.group)
    attempts.page(0).write(Note(under_way=[0], company=2))
    process.running.engine.held.add("one")

    def stopping() -> bool:
        if process.running.engine.submitted:
            assert attempts.page(0).read().alone
            raise FatalClient("broken")
        return False

    with pytest.raises(FatalClient):
        run(
            process.running.worker,
            TOPIC,
            stopping,
            lambda: None,
            clock=process.clock,
            drain_timeout=20,
            log=logger("error"),
        )
    process.running.pool.work()  # as it does before the process ends
    assert attempts.page(0).read() == Note(suspects={0: Suspect(2)})
