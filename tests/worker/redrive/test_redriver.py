from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamer.errors import BrokerError, StoreUnavailable
from streamer.identity import Identity
from streamer.kafka.base import Delivered, Message
from streamer.kafka.memory_clients import MemoryPublisher
from streamer.records import FOLLOWS, ORIGIN
from streamer.store.deletion import bury
from streamer.worker.redrive.assessor import Fate
from streamer.worker.redrive.choice import Choice
from tests.worker.builders import encoded
from tests.worker.redrive.bench import TRACE, Bench, Dying


@pytest.fixture
def bench() -> Bench:
    """Four requests of which two failed, one of them without an id of its own."""
    bench = Bench()
    bench.publish(encoded("fine"))
    bench.publish(encoded("a", "bad"), TRACE, ("mine", None), partition=1)
    bench.publish(encoded("", "bad"), TRACE)
    bench.publish(encoded("fine too"), partition=1)
    bench.work()
    return bench


def lines(bench: Bench, choice: Choice = Choice(), *, yes: bool = True) -> list[str]:  # noqa: B008 - frozen
    return list(bench.redrive(choice, yes=yes).lines(dry=not yes))


def test_what_failed_is_sent_as_it_was_and_completes_as_the_next_generation(bench: Bench) -> None:
    first, derived = {failed.id: failed for failed in bench.rig.failed()}, bench.rig.failed()[0].id
    assert len(first) == 2
    assert lines(bench) == [f"synthesis_failed: 2 sent, first shop/{derived}"]
    *_, own = (record for record in bench.requests() if record.partition.number == 0)
    assert own.value == encoded("", "bad")
    *_, named = (record for record in bench.requests() if record.partition.number == 1)
    assert (named.key, named.value) == (b"key", encoded("a", "bad"))
    assert named.headers == (TRACE, ("mine", None), (FOLLOWS, b"1"), (ORIGIN, b"1/0"))
    bench.work(mended=True)
    ended = [(id_, generation) for id_, generation, code in bench.results() if code == "ok"]
    assert sorted(ended) == sorted([("fine", 1), ("fine too", 1), ("a", 2), (derived, 2)])


def test_a_dry_run_sends_nothing(bench: Bench) -> None:
    before = bench.requests()
    derived = bench.rig.failed()[0].id
    assert lines(bench, yes=False) == [f"synthesis_failed: 2 to send, first shop/{derived}"]
    assert bench.requests() == before


def test_a_failure_is_redriven_once_however_often_it_is_sent(bench: Bench) -> None:
    for _ in range(3):
        bench.redrive()
    assert len(bench.requests()) == 4 + 6
    bench.work(mended=True)
    results = bench.results()
    assert len(results) == 4 + 2
    assert len(set(results)) == 6
    assert lines(bench) == [
        "synthesis_failed: 2 left (already redriven, and completed), first " + "shop/" + first(bench)
    ]
    assert len(bench.requests()) == 4 + 6


def first(bench: Bench) -> str:
    return bench.rig.failed()[0].id


def test_killed_halfway_and_run_again_each_is_redriven_once() -> None:
    bench = Bench()
    for number in range(10):
        bench.publish(encoded(f"id-{number}", "bad"), partition=number % 2)
    bench.work()
    for after in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            bench.redrive(publisher=Dying(bench, after))
    bench.redrive()
    assert len(bench.requests()) == 10 + 3 + 5 + 10
    bench.work(mended=True)
    expected = [(f"id-{number}", 2, "ok") for number in range(10)]
    assert [result for result in bench.results() if result[1] == 2] == expected


def test_two_at_once_while_workers_work() -> None:
    bench = Bench()
    for number in range(30):
        bench.publish(encoded(f"id-{number:02}", "bad"), partition=number % 2)
    bench.work()
    barrier = threading.Barrier(2)

    def run(_: int) -> None:
        barrier.wait(10)
        bench.redrive()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, range(2)))
    bench.work(mended=True)
    bench.redrive()
    bench.work(mended=True)
    expected = [(f"id-{number:02}", 2, "ok") for number in range(30)]
    assert [result for result in bench.results() if result[1] == 2] == expected
    assert len(bench.results()) == 60


def test_what_fails_again_is_redriven_from_there(bench: Bench) -> None:
    bench.redrive(Choice(id="a"))
    bench.work()
    assert ("a", 2, "synthesis_failed") in bench.results()
    said = lines(bench, Choice(id="a"))
    assert said == [
        "synthesis_failed: 1 sent, first shop/a",
        "synthesis_failed: 1 left (already redriven, and failed again as synthesis_failed), first shop/a",
    ]
    sent = bench.requests()[-1]
    assert sent.headers == (TRACE, ("mine", None), (FOLLOWS, b"2"), (ORIGIN, b"1/0"))
    bench.work(mended=True)
    assert ("a", 3, "ok") in bench.results()


def test_a_missing_id_stays_the_same_over_generations(bench: Bench) -> None:
    derived = first(bench)
    for generation in (2, 3, 4):
        bench.redrive(Choice(id=derived))
        bench.work(mended=generation == 4)
    generations = [(generation, code) for id_, generation, code in bench.results() if id_ == derived]
    assert generations == [
        (1, "synthesis_failed"),
        (2, "synthesis_failed"),
        (3, "synthesis_failed"),
        (4, "ok"),
    ]


def test_a_conflict_is_never_sent(bench: Bench) -> None:
    bench.publish(encoded("fine", "other words"))
    bench.work()
    for choice in (Choice(), Choice(id="fine"), Choice(codes=frozenset({"id_conflict"}))):
        report = bench.redrive(choice, yes=False)
        assert [line for line in report.lines(dry=True) if line.startswith("id_conflict")] == [
            "id_conflict: 1 left (a result of its record, not of its id, and never redriven; a new id helps), "
            "first shop/fine"
        ]


def test_a_deleted_one_is_never_sent(bench: Bench) -> None:
    [failed] = [failed for failed in bench.rig.failed() if failed.id == "a"]
    bury(bench.rig.store, Identity(failed.source, failed.id), 1)
    assert lines(bench, Choice(id="a")) == [
        "synthesis_failed: 1 left (generation 1 of this id was deleted), first shop/a"
    ]


def test_what_a_redrive_does_not_help_has_to_be_named(bench: Bench) -> None:
    bench.publish(encoded("late", expires_at=1))
    bench.work()
    said = [line for line in lines(bench, yes=False) if line.startswith("expired")]
    assert said == [
        "expired: 1 left (a redrive alone does not help; name it with --code or --id to send it all the same), "
        "first shop/late"
    ]
    assert lines(bench, Choice(since=0), yes=False)[1:] == said
    for choice in (Choice(codes=frozenset({"expired"})), Choice(id="late")):
        assert lines(bench, choice, yes=False) == ["expired: 1 to send, first shop/late"]


def test_a_record_whose_delivery_fails_is_told_and_harms_nobody(bench: Bench) -> None:
    class Failing(MemoryPublisher):
        def publish(self, message: Message, delivered: Delivered) -> None:
            if message.partition == 0:
                raise BrokerError("message too large")
            super().publish(message, lambda _: delivered(BrokerError("timed out")))

    report = bench.redrive(publisher=Failing(bench.rig.cluster))
    assert (report.total(Fate.SEND), report.total(Fate.UNSENT)) == (0, 2)
    assert sorted(report.lines(dry=False)) == [
        f"synthesis_failed: 1 not sent (Kafka's client refuses it), first shop/{first(bench)}: message too large",
        "synthesis_failed: 1 not sent (unknown whether Kafka took it), first shop/a: timed out",
    ]


def test_a_store_that_is_away_ends_it(bench: Bench) -> None:
    bench.rig.store.down = True
    with pytest.raises(StoreUnavailable):
        bench.redrive()
    assert len(bench.requests()) == 4


def test_an_unreadable_verdict_is_told_and_the_others_are_sent(bench: Bench) -> None:
    folder = Identity("shop", "a").folder
    bench.rig.store.replace(f"{folder}/verdict-1.json", b"{")
    report = bench.redrive()
    assert (report.total(Fate.SEND), report.total(Fate.UNSENT)) == (1, 1)
    assert any("its verdict cannot be read" in line for line in report.lines(dry=False))
