"""Records whose schema is not here yet, on their way through the pipeline."""

from __future__ import annotations

import json

import pytest

from streamer.clock import ManualClock
from streamer.errors import RegistryUnavailable
from streamer.kafka.base import Message
from streamer.records import SpeechRequest
from streamer.wire import avro
from streamer.wire.confluent import ConfluentCodec
from streamer.wire.registry import Found
from tests.worker.builders import CODECS, TOPIC, Rig, encoded, tenure
from tests.worker.test_pipeline import Line

PLAIN = avro.requests()


class Registry:
    """Knows one schema, when it is there."""

    url = "test:"

    def __init__(self) -> None:
        self.away = False
        self.asked: list[int] = []

    def schema(self, schema_id: int) -> Found | None:
        self.asked.append(schema_id)
        if self.away:
            raise RegistryUnavailable("injected")
        return Found("AVRO", json.dumps(PLAIN.current), ()) if schema_id == 7 else None


class Framed(Line):
    def __init__(self) -> None:
        self.registry, clock = Registry(), ManualClock()
        super().__init__(clock=clock, codec=ConfluentCodec(PLAIN, self.registry, clock, None))


def framed(id: str, schema_id: int = 7) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + PLAIN.encode(SpeechRequest(source="shop", id=id, text=id))[10:]


@pytest.fixture
def line() -> Framed:
    return Framed()


def test_they_wait_for_their_schema_which_is_asked_for_once(line: Framed) -> None:
    for offset in range(3):
        line.receive(framed(f"id-{offset}"), offset)
    assert (line.pipeline.tasks, line.pipeline.held_back) == (3, 0)
    assert line.pipeline.load > 0
    assert line.pipeline.awaits_schema(line.tenure)
    line.turn()
    assert line.codes() == {0: "ok", 1: "ok", 2: "ok"}
    assert line.registry.asked == [7]
    assert line.engine.submitted == ["id-0", "id-1", "id-2"]
    assert not line.pipeline.awaits_schema(line.tenure)
    assert line.idle()


def test_while_the_registry_is_away_nothing_is_dropped_and_what_is_known_goes_on(line: Framed) -> None:
    line.registry.away = True
    line.receive(framed("id-0"), 0)
    line.receive(encoded("id-1"), 1)
    line.turn()
    assert line.codes() == {1: "ok"}
    for _ in range(8):
        line.clock.advance(6)
        line.turn(3)
    assert (line.pipeline.tasks, line.pipeline.backing_off) == (1, False)
    assert len(line.registry.asked) == 9
    line.registry.away = False
    line.clock.advance(6)
    line.turn()
    assert line.codes() == {0: "ok", 1: "ok"}
    assert line.idle()


def test_a_schema_that_there_is_not_makes_its_records_undecodable(line: Framed) -> None:
    line.receive(framed("id-0", 8), 0)
    line.turn()
    assert line.codes() == {0: "undecodable"}
    assert "there is no schema 8 of test:" in line.failed(0).message
    assert line.idle()


def test_their_partition_is_paused_the_others_go_on_and_nothing_is_lost() -> None:
    rig, registry = Rig(partitions=2, poll_records=5), Registry()
    rig.codecs = CODECS._replace(requests=ConfluentCodec(PLAIN, registry, rig.clock, None))
    registry.away = True
    for number in range(40):
        rig.publish(f"plain-{number}", partition=number % 2)
        if number == 4:
            rig.cluster.append(Message(topic=TOPIC, key=b"k", value=framed("framed"), partition=0))
    running = rig.worker()
    running.until(lambda: rig.commit(1).offset == 20)
    running.turn(50)
    assert [tenure.partition.number for tenure, _ in running.worker._running() if tenure.paused] == [0]
    assert running.worker.busy
    assert rig.commit(0).offset == 3  # plain-0, -2 and -4 stand before it
    assert running.worker.held <= 5
    registry.away = False
    running.until(lambda: rig.commit(0).offset == 21)
    assert len(rig.completed()) == 41
    assert (running.worker.held, running.worker.load) == (0, 0)


def test_they_die_with_their_tenure(line: Framed) -> None:
    line.registry.away = True
    line.receive(framed("id-0"), 0)
    line.turn()
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    assert line.pipeline.load == line.pipeline.tasks == 0
    line.registry.away = False
    again = tenure()
    line.receive(framed("id-0"), 0, of=again)
    line.clock.advance(6)
    line.turn()
    assert line.codes() == {}
    assert line.codes(again) == {0: "ok"}
    assert line.idle()


def test_what_else_goes_wrong_while_a_schema_is_asked_for_ends_the_worker(line: Framed) -> None:
    def broken(schema_id: int) -> Found | None:
        raise MemoryError("injected")

    line.registry.schema = broken  # type: ignore[method-assign]
    line.receive(framed("id-0"), 0)
    with pytest.raises(MemoryError):
        line.turn()
