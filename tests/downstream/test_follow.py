from __future__ import annotations

from streamer.clock import ManualClock, SystemClock
from streamer.downstream.follow import Follower
from streamer.kafka.base import Message, Record
from streamer.kafka.memory import MemoryCluster
from streamer.records import (
    Audio,
    Engine,
    Original,
    Position,
    Result,
    SpeechCompleted,
    SpeechFailed,
    SpeechReplayed,
    Timings,
)
from streamer.wire import avro, schemas
from streamer.wire.base import Codecs
from streamer.wire.confluent import ConfluentCodec
from tests.wire.test_confluent import MemoryRegistry

COMPLETED, FAILED = "tts.completed", "tts.failed"
POSITION = Position(topic="tts.requests", partition=0, offset=7)
DONE = SpeechCompleted(
    source="shop",
    id="1",
    position=POSITION,
    audio=Audio(uri="u", format="wav", sample_rate=8_000, frames=1, duration=0.1, bytes=2, sha256="s", pcm_sha256="p"),
    text="hello",
    voice="vip",
    engine=Engine(name="tone", revision="1", seed=0),
    timings=Timings(queued=0.1, synthesis=0.2, durable=0.3),
    completed_at=1,
)
LOST = SpeechFailed(
    source="shop",
    id="2",
    position=POSITION,
    code="expired",
    message="too late",
    original=Original(key=b"shop/2", value=b"\x00\xff", headers=[], truncated=False, size=2),
    failed_at=1,
)
AGAIN = SpeechReplayed(
    source="shop",
    id="1",
    position=POSITION,
    run="monday/1",
    outcome="different",
    reasons=["engine"],
    audio=DONE.audio,
    previous=DONE.audio,
    replayed_at=2,
)


class Topics:
    """Both topics on a cluster in memory."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(SystemClock())
        for topic in (COMPLETED, FAILED):
            self.cluster.create_topic(topic, 1)
        self.told: list[tuple[Record, str]] = []
        self.waits: list[str] = []
        self.codecs = Codecs(avro.requests(), avro.completed(), avro.failed(), avro.replayed())
        self.clock = ManualClock()

    def write(self, topic: str, value: bytes | None) -> None:
        self.cluster.append(Message(topic=topic, key=b"k", value=value))

    def follower(self, from_beginning: bool, *topics: str) -> Follower[Result]:
        reader = self.cluster.broker().reader(topics or (COMPLETED, FAILED), from_beginning)
        return Follower(
            reader,
            {COMPLETED: self.codecs.completed, FAILED: self.codecs.failed},
            self.clock,
            undecodable=lambda *told: self.told.append(told),
            waiting=self.waits.append,
        )


def test_results_are_typed() -> None:
    topics = Topics()
    topics.write(COMPLETED, avro.completed().encode(DONE))
    topics.write(FAILED, avro.failed().encode(LOST))
    follower = topics.follower(from_beginning=True)
    assert follower.poll(0) == [DONE, LOST]
    assert follower.poll(0) == []
    assert topics.follower(True, FAILED).poll(0) == [LOST]
    follower.close()


def test_from_now_on_only() -> None:
    topics = Topics()
    topics.write(COMPLETED, avro.completed().encode(DONE))
    follower = topics.follower(from_beginning=False)
    topics.write(FAILED, avro.failed().encode(LOST))
    assert follower.poll(0) == [LOST]


def test_no_more_than_asked_for() -> None:
    topics = Topics()
    for _ in range(3):
        topics.write(COMPLETED, avro.completed().encode(DONE))
    follower = topics.follower(from_beginning=True)
    assert [len(follower.poll(0, most=2)) for _ in range(3)] == [2, 1, 0]


def test_what_is_no_result_is_told_with_its_position_and_passed() -> None:
    topics = Topics()
    for value in (b"garbage", None, avro.failed().encode(LOST), avro.completed().encode(DONE)):
        topics.write(COMPLETED, value)
    follower = topics.follower(from_beginning=True)
    assert follower.poll(0) == [DONE]
    assert follower.undecodable == 3
    assert [(record.partition.topic, record.offset) for record, _ in topics.told] == [(COMPLETED, n) for n in range(3)]
    assert "not an Avro single object" in topics.told[0][1]


def test_an_unknown_schema_is_waited_for_and_nothing_is_skipped() -> None:
    topics, registry = Topics(), MemoryRegistry()
    codec = ConfluentCodec(avro.completed(), registry, topics.clock, None)
    topics.codecs = Codecs(avro.requests(), codec, avro.failed(), avro.replayed())
    framed = ConfluentCodec(avro.completed(), registry, topics.clock, 3).encode(DONE)
    for value in (avro.completed().encode(DONE), framed, avro.completed().encode(DONE)):
        topics.write(COMPLETED, value)
    follower = topics.follower(from_beginning=True)
    registry.down = True
    assert follower.poll(0) == [DONE]
    began = topics.clock.now()
    assert follower.poll(1.5) == follower.poll(1.5) == []
    assert topics.clock.now() - began == 3.0
    assert topics.waits == ["it is down"]
    registry.down = False
    registry.put(3, schemas.current("speech_completed"))
    assert follower.poll(0, most=1) == [DONE]
    assert follower.poll(0) == [DONE]
    assert (follower.poll(0), follower.undecodable) == ([], 0)
