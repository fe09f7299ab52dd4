from __future__ import annotations

import msgspec
import pytest

from streamer.clock import ManualClock
from streamer.errors import Retriable
from streamer.kafka.base import Message, Partition
from streamer.kafka.memory import MemoryCluster
from streamer.records import FOLLOWS, Header, Original, Position, SpeechFailed
from streamer.worker.redrive.originals import Originals
from tests.downstream.test_follow import LOST

TOPIC = "tts.requests"
PARTITION = Partition(TOPIC, 1)
HEADERS = (("traceparent", b"1"), ("none", None), (FOLLOWS, b"1"), ("traceparent", b"2"))


class Setting:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cluster = MemoryCluster(self.clock)
        self.cluster.create_topic(TOPIC, 2)
        for value in (b"before", b"the whole value", b"after"):
            self.cluster.append(Message(TOPIC, b"key", value, HEADERS, 1))
        self.originals = Originals(self.cluster.broker(), self.clock)


def failed(original: Original, offset: int = 1) -> SpeechFailed:
    position = Position(topic=TOPIC, partition=1, offset=offset)
    return msgspec.structs.replace(LOST, position=position, original=original)


CUT = Original(key=b"k", value=b"the who", headers=[], truncated=True, size=15)


def test_what_its_failure_carries_is_read_nowhere_else() -> None:
    headers = [Header(name=name, value=value) for name, value in HEADERS]
    whole = Original(key=None, value=None, headers=headers, truncated=False, size=0)
    record = Setting().originals.of(failed(whole, offset=99))
    assert record is not None
    assert (record.partition, record.offset, record.key, record.value) == (PARTITION, 99, None, None)
    assert record.headers == HEADERS


def test_one_that_was_cut_is_read_at_its_position() -> None:
    record = Setting().originals.of(failed(CUT))
    assert record is not None
    assert (record.partition, record.offset) == (PARTITION, 1)
    assert (record.key, record.value, record.headers) == (b"key", b"the whole value", HEADERS)


@pytest.mark.parametrize("low", [2, 3])
def test_one_that_retention_deleted_is_gone(low: int) -> None:
    setting = Setting()
    setting.cluster.log(PARTITION).low = low
    assert setting.originals.of(failed(CUT)) is None


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(CUT, size=16),
        msgspec.structs.replace(CUT, value=b"another"),
    ],
)
def test_another_record_at_its_position_is_not_taken_for_it(other: Original) -> None:
    """The topic was deleted and made again."""
    assert Setting().originals.of(failed(other)) is None


def test_a_broker_that_gives_nothing_is_waited_for_and_then_told() -> None:
    setting = Setting()
    before = setting.clock.monotonic()
    with pytest.raises(Retriable, match=r"tts.requests\[1\] offset 7"):
        setting.originals.of(failed(CUT, offset=7))
    assert setting.clock.monotonic() - before >= 30
