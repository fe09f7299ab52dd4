from __future__ import annotations

import msgspec
import pytest

from streamer.clock import ManualClock
from streamer.errors import RegistryUnavailable
from streamer.identity import Identity, derived_id
from streamer.records import FOLLOWS, ORIGIN, Position, SpeechFailed, SpeechRequest
from streamer.store.deletion import bury
from streamer.wire import avro, schemas
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.redrive.assessor import Fate
from streamer.worker.redrive.choice import Choice
from tests.wire.test_confluent import OURS, MemoryRegistry
from tests.worker.builders import encoded
from tests.worker.redrive.bench import TRACE, Bench

GARBAGE = Choice(codes=frozenset({"undecodable"}))


class Registered:
    """A registry, and codecs that know it; the record was written with it."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.registry.put(OURS, schemas.current("speech_request"))

    def codec(self) -> ConfluentCodec[SpeechRequest]:
        return ConfluentCodec(avro.requests(), self.registry, ManualClock(), None)

    def framed(self, id_: str, text: str = "hello") -> bytes:
        writer = ConfluentCodec(avro.requests(), self.registry, ManualClock(), OURS)
        return writer.encode(SpeechRequest(source="shop", id=id_, text=text))


@pytest.fixture
def registered() -> Registered:
    return Registered()


@pytest.fixture
def bench(registered: Registered) -> Bench:
    """A record of a registry with an id, and one without; the worker knew no registry, the redrive does."""
    bench = Bench(registered.codec())
    bench.publish(encoded("first"))
    bench.publish(registered.framed("a"), TRACE)
    bench.publish(registered.framed(""), partition=1)
    bench.work()
    assert [code for _, _, code in bench.results()].count("undecodable") == 2
    return bench


def garbage(bench: Bench, partition: int = 0) -> SpeechFailed:
    [failed] = [f for f in bench.rig.failed() if f.code == "undecodable" and f.position.partition == partition]
    return failed


def test_what_can_be_decoded_now_is_sent_as_a_plain_record(bench: Bench, registered: Registered) -> None:
    report = bench.redrive(GARBAGE)
    assert report.total(Fate.SEND) == 2
    sent = bench.requests()[2]
    assert sent.headers == (TRACE, (ORIGIN, b"0/1"))
    assert sent.value == registered.framed("a")
    bench.work(codec=registered.codec())
    ended = [(id_, generation) for id_, generation, code in bench.results() if code == "ok"]
    assert sorted(ended) == sorted([("first", 1), ("a", 1), (derived_id(bench.topic_id, 1, 0), 1)])


def test_sent_twice_it_is_a_duplicate_and_then_known(bench: Bench, registered: Registered) -> None:
    bench.redrive(GARBAGE)
    bench.redrive(GARBAGE)
    bench.work(codec=registered.codec())
    assert len(bench.results()) == 3 + 2
    report = bench.redrive(GARBAGE)
    assert [line.partition(",")[0] for line in report.lines(dry=False)] == ["undecodable: 2 left (already redriven"]


def test_a_worker_that_still_cannot_decode_it_takes_it_for_the_same_bytes(bench: Bench, registered: Registered) -> None:
    bench.redrive(GARBAGE)
    before = bench.results()
    bench.work()
    assert bench.results() == before
    bench.redrive(GARBAGE)
    bench.work(codec=registered.codec())
    assert [code for _, _, code in bench.results()].count("ok") == 3


def test_what_still_cannot_be_decoded_is_left(bench: Bench) -> None:
    bench.publish(b"garbage")
    bench.publish(b"")
    bench.work()
    report = bench.redrive(GARBAGE)
    assert (report.total(Fate.SEND), report.total(Fate.LEFT)) == (2, 2)
    assert any(line.startswith("undecodable: 2 left (still cannot be decoded)") for line in report.lines(dry=False))


def test_an_id_that_another_request_took_meanwhile_is_left(bench: Bench) -> None:
    bench.publish(encoded("a", "other words"))
    bench.work()
    assessment = bench.assess(garbage(bench))
    assert assessment.fate is Fate.LEFT
    assert "its id was used for another request" in assessment.why


def test_deleted_bytes_are_left(bench: Bench) -> None:
    failed = garbage(bench)
    bury(bench.rig.store, Identity("", failed.id), 1)
    assert bench.assess(failed).why == "generation 1 of this id was deleted"


def test_a_registry_that_is_away_is_waited_for_and_then_ends_it(bench: Bench, registered: Registered) -> None:
    registered.registry.down = True
    before = bench.rig.clock.monotonic()
    with pytest.raises(RegistryUnavailable):
        bench.assess(garbage(bench))
    assert bench.rig.clock.monotonic() - before >= 60


def test_what_its_worker_could_decode_and_this_one_cannot_is_not_sent(registered: Registered) -> None:
    bench = Bench()
    bench.publish(registered.framed("a", "bad"))
    bench.work(codec=registered.codec())
    report = bench.redrive()
    assert report.total(Fate.UNSENT) == 1
    assert any("schema_registry.url" in line for line in report.lines(dry=False))


def test_a_failure_of_another_topic_is_left(bench: Bench) -> None:
    elsewhere = msgspec.structs.replace(garbage(bench), position=Position(topic="old", partition=0, offset=1))
    assert bench.assess(elsewhere).why == "its request stands on old, and kafka.topics.requests is tts.requests"


def test_a_failure_that_the_store_knows_nothing_of_is_left() -> None:
    bench = Bench()
    bench.publish(encoded("a", "bad"))
    bench.work()
    for key in list(bench.rig.store.list(f"{Identity('shop', 'a').folder}/")):
        bench.rig.store.delete(key)
    assert bench.assess(bench.rig.failed()[0]).why == "generation 1 of this id was never decided"


def test_one_that_was_cut_is_sent_whole_and_one_that_is_gone_is_lost() -> None:
    bench = Bench()
    value = encoded("a", "bad")
    bench.publish(value, TRACE)
    bench.work()
    [failed] = bench.rig.failed()
    original = msgspec.structs.replace(failed.original, value=value[:5], headers=[], key=b"", truncated=True)
    cut = msgspec.structs.replace(failed, original=original)
    message = bench.assess(cut).message
    assert message is not None
    assert (message.key, message.value, message.partition) == (b"key", value, 0)
    assert message.headers == (TRACE, (FOLLOWS, b"1"), (ORIGIN, b"0/0"))
    bench.rig.cluster.logs("tts.requests")[0].low = 1
    assert bench.assess(cut).fate is Fate.LOST
