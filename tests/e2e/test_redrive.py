"""What failed, corrected and sent again, on a real Kafka: each failure once, however the redrive ends."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streamer.kafka.base import Headers, Message
from streamer.records import (
    FOLLOWS,
    ORIGIN,
    TASK_ID,
    TRACEPARENT,
    Event,
    SpeechCompleted,
    SpeechFailed,
    SpeechRequest,
)
from tests.faults.cluster import Deployment, Read, until
from tests.faults.promise import check_audio

pytestmark = pytest.mark.broker

_KILLED = (sys.executable, str(Path(__file__).with_name("killed_redrive.py")))
WRONG = '[events.paid]\ntemplate = "order {{ data.number }} is paid"\n'
STILL_WRONG = '[events.paid]\ntemplate = "order {{ data.nr }} is paid"\n'
RIGHT = '[events.paid]\ntemplate = "order {{ data.no }} is paid"\n'


class Shop:
    """A deployment whose rules can be corrected."""

    def __init__(self, deployment: Deployment, rules: Path) -> None:
        self.deployment, self.rules = deployment, rules

    def send(self, numbers: Iterable[int], partition: int | None = None) -> None:
        """Paid orders; every fifth names no id of its own."""
        self.deployment.publish(
            self.deployment.message(order(number), partition, ((TRACEPARENT, trace(number)),)) for number in numbers
        )

    def work(self, rules: str) -> None:
        """A worker with these rules comes, finishes all there is, and leaves."""
        self.rules.write_text(rules)
        worker = self.deployment.worker("a").ready()
        until(self.deployment.finished, "all requests")
        assert worker.terminate() == 0

    def redrive(self, *arguments: str) -> list[str]:
        done = self.deployment.run("redrive", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def generations(self) -> Counter[tuple[str, int]]:
        """How many results each (id, generation) has; conflicts are results of no id."""
        results = [read.result for read in self.deployment.results()]
        return Counter((result.id, result.generation) for result in results if code(result) != "id_conflict")

    def completed(self, generation: int) -> list[Read]:
        reads = self.deployment.results()
        return [r for r in reads if isinstance(r.result, SpeechCompleted) and r.result.generation == generation]


def code(result: SpeechCompleted | SpeechFailed) -> str:
    return result.code if isinstance(result, SpeechFailed) else "ok"


def order(number: int) -> SpeechRequest:
    event = Event(type="paid", data=f'{{"no": {number}}}')
    id_ = f"order-{number}" if number % 5 else ""
    return SpeechRequest(source="shop", id=id_, event=event, metadata={"number": str(number)})


def trace(number: int) -> bytes:
    return f"00-{number + 1:032x}-{number + 1:016x}-01".encode()


@pytest.fixture
def shop(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[Shop]:
    rules = tmp_path / "events.toml"
    # Rules that are all wrong would stop the worker: this test is of what then stands on the topic of failures.
    with Deployment(
        kafka, tmp_path, unique("shop") + "-", EVENTS__FILE=str(rules), WORKER__DEAD_LETTER_WINDOW="100000"
    ) as deployment:
        deployment.topics()
        yield Shop(deployment, rules)


def test_a_corrected_template_redriven(shop: Shop) -> None:
    deployment = shop.deployment
    shop.send(range(40), partition=1)
    plain = SpeechRequest(source="shop", id="plain", text="hello")
    other = SpeechRequest(source="shop", id="plain", text="other words")
    garbage = Message(deployment.kafka.topics.requests, b"key", b"garbage", partition=0)
    deployment.publish([deployment.message(plain, 0), garbage, deployment.message(other, 0)])
    shop.work(WRONG)
    first = {read.result.metadata["number"]: read.result for read in deployment.results() if read.result.metadata}
    assert Counter(map(code, first.values())) == {"template_error": 40}

    said = shop.redrive("--all")
    assert [line.partition(" (")[0].partition(",")[0] for line in said] == [
        "template_error: 40 to send",
        "id_conflict: 1 left",
        "undecodable: 1 left",
    ]
    assert shop.redrive("--all", "--yes")[0].startswith("template_error: 40 sent")
    shop.work(RIGHT)

    again = shop.completed(2)
    assert {read.result.metadata["number"] for read in again} == set(first)
    with closing(deployment.opened_store()) as store:
        for result, record in again:
            number = result.metadata["number"]
            assert isinstance(result, SpeechCompleted)
            assert result.text == f"order {number} is paid"
            assert result.id == first[number].id
            assert dict(record.headers) == {TASK_ID: result.id.encode(), TRACEPARENT: trace(int(number))}
            assert record.key == f"shop/{result.id}".encode()
            check_audio(result, store)
    assert set(shop.generations().values()) == {1}
    assert sorted(set(shop.generations())) == sorted(
        [(result.id, generation) for result in first.values() for generation in (1, 2)]
        + [("plain", 1), (undecodable(deployment).id, 1)]
    )
    sent = [record for record in deployment.records(deployment.kafka.topics.requests) if followed(record.headers)]
    assert {record.partition.number for record in sent} == {1}
    origins = {first[n].position.offset for n in first}
    assert {dict(record.headers)[ORIGIN] for record in sent} == {f"1/{offset}".encode() for offset in origins}
    left = shop.redrive("--all", "--yes")
    assert left[0].startswith("template_error: 40 left (already redriven, and completed)")
    assert "undecodable: 1 left (still cannot be decoded)" in shop.redrive("--code", "undecodable", "--yes")[0]


def undecodable(deployment: Deployment) -> SpeechFailed:
    [failed] = [failed for failed in deployment.failed().values() if failed.code == "undecodable"]
    return failed


def followed(headers: Headers) -> bool:
    return any(name == FOLLOWS for name, _ in headers)


def test_what_fails_again_is_redriven_from_there(shop: Shop) -> None:
    shop.send(range(10))
    for rules in (WRONG, STILL_WRONG):
        shop.work(rules)
        shop.redrive("--code", "template_error", "--yes")
    shop.work(RIGHT)
    assert len(shop.completed(3)) == 10
    assert shop.completed(1) == shop.completed(2) == []
    assert Counter(generation for _, generation in shop.generations()) == {1: 10, 2: 10, 3: 10}
    assert set(shop.generations().values()) == {1}
    assert len({id_ for id_, _ in shop.generations()}) == 10
    said = shop.redrive("--all")
    assert [line.partition(", first")[0] for line in said] == [
        "template_error: 10 left (already redriven, and failed again as template_error)",
        "template_error: 10 left (already redriven, and completed)",
    ]


@pytest.mark.parametrize("working", [False, True], ids=["worker away", "worker at work"])
def test_killed_halfway_and_twice_at_once_each_failure_is_redriven_once(shop: Shop, working: bool) -> None:
    deployment = shop.deployment
    shop.send(range(300))
    shop.work(WRONG)
    assert len(deployment.failed()) == 300
    worker = None
    if working:
        shop.rules.write_text(RIGHT)
        worker = deployment.worker("b").ready()
    ends = []
    for count, state in ((1, "delivered"), (120, "pending"), (130, "delivered"), (290, "pending"), (60, "delivered")):
        command = [*_KILLED, str(count), state, "redrive", "--all", "--yes"]
        process, _ = deployment.process("redrive", command)
        ends.append(process.wait(60))
    # Beside a worker there may be less left to send than it takes to be killed.
    assert ends.count(-signal.SIGKILL) + ends.count(0) * working == 5
    assert ends[0] == -signal.SIGKILL
    command = [sys.executable, "-m", "streamer", "redrive", "--all", "--yes"]
    both = [deployment.process("redrive", command) for _ in range(2)]
    assert [process.wait(60) for process, _ in both] == [0, 0]
    if worker is not None:
        until(deployment.finished, "all requests")
        assert worker.terminate() == 0
    shop.work(RIGHT)
    assert len(shop.completed(2)) == 300
    assert Counter(generation for _, generation in shop.generations()) == {1: 300, 2: 300}
    assert set(shop.generations().values()) == {1}
    with closing(deployment.opened_store()) as store:
        for read in shop.completed(2):
            check_audio(as_completed(read), store)
    assert shop.redrive("--all", "--yes")[0].startswith("template_error: 300 left (already redriven, and completed)")
    again = [record for record in deployment.records(deployment.kafka.topics.requests) if followed(record.headers)]
    assert len(again) > 300 or working


def as_completed(read: Read) -> SpeechCompleted:
    assert isinstance(read.result, SpeechCompleted)
    return read.result
