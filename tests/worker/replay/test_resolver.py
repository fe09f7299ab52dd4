from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streamer.clock import ManualClock
from streamer.errors import ConfigurationError
from streamer.identity import Identity
from streamer.kafka.base import Message, Partition, Topic
from streamer.kafka.memory import MemoryCluster
from streamer.store.memory import MemoryStore
from streamer.store.verdicts import Verdict, Verdicts
from streamer.worker.replay.resolver import Resolver
from streamer.worker.replay.run import Range
from streamer.worker.replay.selection import Selection
from tests.store.test_verdicts import IDENTITY, verdict

TOPIC = "tts.requests"
BEGAN = 1_700_000_000


def at(second: int) -> datetime:
    return datetime.fromtimestamp(BEGAN + second, UTC)


class Place:
    """Two partitions of ten records, one a second; a store."""

    def __init__(self, partitions: int = 2) -> None:
        self.clock = ManualClock(BEGAN)
        self.cluster = MemoryCluster(self.clock)
        self.cluster.create_topic(TOPIC, partitions)
        for _ in range(10):
            for number in range(partitions):
                self.cluster.append(Message(TOPIC, None, b"", partition=number))
            self.clock.advance(1)
        self.store = MemoryStore()
        self.verdicts = Verdicts(self.store)
        topic = self.cluster.topic(TOPIC)
        if topic is None:
            raise AssertionError
        self.topic: Topic = topic
        self.resolver = Resolver(self.cluster.broker().admin(), topic, self.verdicts, self.clock.now)

    def gone(self, number: int, low: int) -> None:
        self.cluster.log(Partition(TOPIC, number)).low = low

    def ranges(self, **options: Any) -> dict[int, Range]:
        return self.resolver.ranges(Selection(**options))

    def decided(self, **fields: Any) -> Verdict:
        made = verdict()
        owner = msgspec.structs.replace(
            made.owner, **({"cluster": "memory", "topic": str(self.topic.id), "partition": 1, "offset": 4} | fields)
        )
        return self.verdicts.settle(msgspec.structs.replace(made, owner=owner))

    def refused(self, **options: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            self.ranges(**options)
        return str(caught.value)


def test_all_is_what_stands_there_now_and_what_is_gone_is_counted() -> None:
    place = Place()
    assert place.ranges(everything=True) == {0: Range(0, 10), 1: Range(0, 10)}
    place.gone(1, 4)
    assert place.ranges(everything=True) == {0: Range(0, 10), 1: Range(4, 10, gone=4)}
    assert place.ranges(everything=True, partitions=(1,)) == {1: Range(4, 10, gone=4)}
    place.gone(1, 10)
    assert place.ranges(everything=True, partitions=(1,)) == {1: Range(10, 10, gone=10)}


def test_what_is_not_stable_yet_is_left_out() -> None:
    place = Place(1)
    producer = place.cluster.broker().producer("p")
    producer.init(1)
    producer.begin()
    producer.produce(Message(TOPIC, None, b"", partition=0))
    place.cluster.append(Message(TOPIC, None, b"", partition=0))
    assert place.ranges(everything=True) == {0: Range(0, 10)}


def test_offsets() -> None:
    place = Place()
    assert place.ranges(begin=3, end=7, partitions=(1,)) == {1: Range(3, 7)}
    assert place.ranges(begin=3, partitions=(1,)) == {1: Range(3, 10)}
    assert place.ranges(end=10, partitions=(1,)) == {1: Range(0, 10)}
    assert place.ranges(begin=10, end=10, partitions=(1,)) == {1: Range(10, 10)}
    assert Place(1).ranges(begin=3) == {0: Range(3, 10)}


@pytest.mark.parametrize(
    ("low", "expected"),
    [(2, Range(3, 7)), (5, Range(5, 7, gone=2)), (7, Range(7, 7, gone=4)), (9, Range(9, 9, gone=4))],
)
def test_offsets_that_retention_took(low: int, expected: Range) -> None:
    place = Place()
    place.gone(1, low)
    assert place.ranges(begin=3, end=7, partitions=(1,)) == {1: expected}


def test_times_are_found_in_each_partition() -> None:
    place = Place()
    place.cluster.append(Message(TOPIC, None, b"", partition=1))
    assert place.ranges(begin=at(3), end=at(7)) == {0: Range(3, 7), 1: Range(3, 7)}
    assert place.ranges(begin=at(10)) == {0: Range(10, 10), 1: Range(10, 11)}
    assert place.ranges(end=at(0)) == {0: Range(0, 0), 1: Range(0, 0)}
    assert place.ranges(begin=5, end=at(7), partitions=(0,)) == {0: Range(5, 7)}


def test_of_a_time_before_the_log_it_is_said_how_much_may_be_gone() -> None:
    place = Place(1)
    place.gone(0, 4)
    assert place.ranges(begin=at(2), end=at(8)) == {0: Range(4, 8, gone=4)}
    assert place.ranges(begin=at(5)) == {0: Range(5, 10)}
    assert place.ranges(begin=at(1), end=at(2)) == {0: Range(4, 4, gone=4)}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"begin": 11, "partitions": (0,)}, "--from 11 lies beyond the end of tts.requests[0], 10"),
        ({"end": 11, "partitions": (0,)}, "--to 11 lies beyond the end of tts.requests[0], 10"),
        ({"begin": 7, "end": 3, "partitions": (0,)}, "--from: tts.requests[0] would be read from offset 7 to 3"),
        ({"begin": 7, "end": at(3), "partitions": (0,)}, "--from: tts.requests[0] would be read from offset 7 to 3"),
        ({"begin": at(7), "end": at(3)}, "--from 2023-11-14T22:13:27Z is later than --to 2023-11-14T22:13:23Z"),
        ({"begin": 3}, "--from 3 is an offset, and each partition counts its own: give one --partition"),
        ({"end": 3, "partitions": (0, 1)}, "--to 3 is an offset"),
        ({"everything": True, "partitions": (2,)}, "--partition 2: tts.requests has 2 partitions, 0 to 1"),
        ({"everything": True, "partitions": (-1,)}, "--partition -1"),
        ({"begin": at(11)}, "--from 2023-11-14T22:13:31Z lies in the future"),
        ({"end": at(3_600)}, "lies in the future; leave it out to go to the present end"),
        (
            {"identity": Identity("shop", "nobody")},
            "--id 'nobody' of --source 'shop': nothing was decided about it: is",
        ),
        ({"identity": Identity("", "x")}, "ids belong to their source: give --source"),
    ],
)
def test_wrong_use_names_the_option(options: dict[str, Any], says: str) -> None:
    assert says in Place().refused(**options)


def test_an_id_is_the_record_that_owns_its_verdict() -> None:
    place = Place()
    place.decided()
    assert place.ranges(identity=IDENTITY) == {1: Range(4, 5)}
    place.gone(1, 6)
    assert place.ranges(identity=IDENTITY) == {1: Range(6, 6, gone=1)}


def test_an_id_that_was_redriven_is_the_record_of_its_last_generation() -> None:
    place = Place()
    first = place.decided()
    owner = msgspec.structs.replace(first.owner, offset=8)
    place.verdicts.settle(msgspec.structs.replace(first, generation=2, owner=owner))
    assert place.ranges(identity=IDENTITY) == {1: Range(8, 9)}


@pytest.mark.parametrize(
    ("owner", "says"),
    [
        ({"cluster": "other"}, "stands in cluster other, and this is memory; set kafka.bootstrap_servers"),
        ({"topic": "other"}, "was deleted and made again"),
        ({"offset": 10}, "stood at offset 10 of tts.requests[1], which ends at 10 now"),
    ],
)
def test_an_id_whose_record_is_not_here(owner: dict[str, Any], says: str) -> None:
    place = Place()
    place.decided(**owner)
    assert says in place.refused(identity=IDENTITY)


def test_an_id_that_was_deleted() -> None:
    place = Place()
    place.verdicts.bury(place.decided(), 0)
    assert "`streamer delete` took its audio away" in place.refused(identity=IDENTITY)
