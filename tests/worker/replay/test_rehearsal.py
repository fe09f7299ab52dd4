from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from streamer.clock import ManualClock
from streamer.identity import Identity
from streamer.kafka.base import Message
from streamer.records import SpeechRequest
from streamer.store.verdicts import Verdicts
from streamer.wire import avro, schemas
from streamer.wire.base import Codec
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.replay.inquiry import Inquiry
from streamer.worker.replay.rehearsal import Forecast, Rehearsal
from streamer.worker.replay.run import Range
from streamer.worker.task import TaskReader
from tests.wire.test_confluent import OURS, MemoryRegistry
from tests.worker.builders import CODECS, PARTITION, TOPIC, Rig
from tests.worker.replay.test_run import RUN


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def forecast(rig: Rig, pool: Executor, range: Range, codec: Codec[SpeechRequest] = CODECS.requests) -> Forecast:
    topic = rig.cluster.topic(TOPIC)
    assert topic is not None
    return Rehearsal(
        rig.cluster.broker().reader_from({PARTITION: range.begin}),
        TaskReader(codec, rig.cluster.cluster_id, topic.id, lambda type: None),
        codec.load,
        Inquiry(rig.store, RUN, ManualClock(), writes=False),
        pool,
    ).forecast({PARTITION: range})


def spoken(*ids: str) -> Rig:
    rig = Rig()
    for id in ids:
        rig.publish(id)
    rig.worker().until(lambda: rig.commit().offset == len(ids))
    return rig


def test_what_would_be_made_again_and_what_not(pool: Executor) -> None:
    rig = spoken("a", "b", "c", "a")
    rig.publish("new")
    rig.cluster.append(Message(topic=TOPIC, key=None, value=b"garbage", partition=0))
    expected = {"skipped, duplicate": 1, "skipped, undecided": 1, "skipped, undecodable": 1}
    assert forecast(rig, pool, Range(0, 6)) == Forecast(3, expected)


def test_only_its_range_counts(pool: Executor) -> None:
    rig = spoken("a", "b", "c", "d")
    assert forecast(rig, pool, Range(1, 3)) == Forecast(2)
    rig.cluster.log(PARTITION).low = 2
    assert forecast(rig, pool, Range(1, 3)) == Forecast(1)


def test_it_changes_nothing(pool: Executor) -> None:
    rig = spoken("a")
    verdicts = Verdicts(rig.store)
    [done] = rig.completed()
    verdict = verdicts.latest(Identity(done.source, done.id))
    assert verdict is not None
    verdicts.bury(verdict, 0)
    before = sorted(rig.store.list(""))
    groups = set(rig.cluster.groups)
    assert forecast(rig, pool, Range(0, 1)).otherwise == {"skipped, deleted": 1}
    assert sorted(rig.store.list("")) == before  # the file, which a deletion will take, among them
    assert set(rig.cluster.groups) == groups


def test_a_schema_that_was_not_met_before_is_asked_for(pool: Executor) -> None:
    rig, registry = spoken("a"), MemoryRegistry()
    registry.put(OURS, schemas.current("speech_request"))
    framed = ConfluentCodec(avro.requests(), registry, ManualClock(), OURS).encode(SpeechRequest(source="s", text="t"))
    rig.cluster.append(Message(topic=TOPIC, key=None, value=framed, partition=0))
    reading = ConfluentCodec(avro.requests(), registry, ManualClock(), None)
    assert forecast(rig, pool, Range(0, 2), reading) == Forecast(1, {"skipped, undecided": 1})
    assert registry.asked == [OURS]
