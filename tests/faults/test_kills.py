"""Exactly once, on a real Kafka and through real SIGKILLs, of workers and of the broker."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.embedded.broker import EmbeddedKafka
from streamer.errors import EmbeddedError
from streamer.kafka.base import Message
from streamer.observe.logs import COMMITTED
from streamer.records import SpeechRequest
from tests.conftest import missing
from tests.faults.cluster import Deployment, until
from tests.faults.promise import check, check_audio
from tests.faults.storm import Storm
from tests.faults.workers import Worker

pytestmark = pytest.mark.broker

Unique = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

_PAUSED = (sys.executable, str(Path(__file__).with_name("paused_worker.py")))
_SKIPPED = "can be skipped"
"""What brokers of 4.3.0 and 4.4.0 say when they forget a transaction's markers after SIGKILL (KAFKA-20734)."""


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker that only this test kills."""
    try:
        kafka = EmbeddedKafka(tmp_path / "kafka", 0)
        with kafka:
            yield kafka
    except EmbeddedError as error:
        missing(f"no Kafka to kill: {error}")


def test_every_request_once_through_kills_of_workers_and_broker(
    own_kafka: EmbeddedKafka, tmp_path: Path, capsys: Capture
) -> None:
    requests, failing = tone_requests(random.Random(7), 2_000)
    began = time.monotonic()
    with Deployment(
        own_kafka.bootstrap_servers,
        tmp_path,
        ENGINE__TONE__COST_PER_CHARACTER="0.008",
        ENGINE__ATTEMPTS="3",
        KAFKA__SESSION_TIMEOUT="3",
        WORKER__CALL_LIMIT="10",
        WORKER__DRAIN_TIMEOUT="60",
    ) as deployment:
        deployment.topics()
        deployment.publish(twice(deployment, random.Random(8), requests), deployment.broker.publisher())

        def start(name: str) -> Worker:
            return deployment.worker(name, program=(*_PAUSED, str(tmp_path)))

        storm = Storm(deployment, start)
        for number in range(14):
            storm.progress(90)
            if number in (4, 9):
                storm.kill_broker(own_kafka)
            elif number in (1, 3, 6, 8, 11):
                storm.kill_inside(tree=number % 2 == 0)
            else:
                storm.kill("ab"[number % 2], tree=number in (2, 7, 12))
        until(deployment.finished, "everything is committed", 300)
        seconds = time.monotonic() - began
        storm.drain()
        audios = check(deployment, requests, failing)
        assert not any(deployment.lags().values())
    assert _SKIPPED not in own_kafka.log.read_text(errors="replace")
    assert (storm.kills, storm.inside, storm.broker_kills) == (12, 5, 2)
    duplicates = sum(entry["code"] == "duplicate" for w in storm.all for entry in w.journal.of(COMMITTED))
    told = (
        f"\n{storm.kills} SIGKILLs of workers ({storm.trees} with their supervisor; {storm.inside} within a "
        f"transaction of {storm.held} results) with {storm.unfinished} unfinished records, "
        f"{storm.broker_kills} of the broker; "
        f"{len(requests)} ids, {audios} audios, {len(failing)} failures, {duplicates} duplicates skipped, "
        f"{seconds:.0f} s"
    )
    with capsys.disabled():
        print(told)


def tone_requests(chance: random.Random, count: int) -> tuple[dict[str, SpeechRequest], set[str]]:
    """By id; 5 % are long. The ids of those that fail, 1 %."""
    requests, failing = {}, set()
    for number in range(count):
        length = 300 if number % 20 == 0 else chance.randint(12, 30)
        text = "".join(chance.choices("abcdefghij ", k=length - 1)) + "."
        if number % 100 == 50:
            text += "[[fail]]"
            failing.add(f"id-{number}")
        requests[f"id-{number}"] = SpeechRequest(source="shop", id=f"id-{number}", text=text)
    return requests, failing


def twice(deployment: Deployment, chance: random.Random, requests: dict[str, SpeechRequest]) -> list[Message]:
    """All requests; one in twenty again somewhat later, a third of these into another partition."""
    messages: list[tuple[float, Message]] = []
    for number, request in enumerate(requests.values()):
        if number % 20 != 3:
            messages.append((number, deployment.message(request)))
            continue
        elsewhere = number % 60 == 3
        for copy in range(2):
            partition = (number + copy) % deployment.kafka.partitions if elsewhere else None
            later = copy * chance.choice((0, 1, 50, 500))
            messages.append((number + later, deployment.message(request, partition)))
    return [message for _, message in sorted(messages, key=lambda pair: pair[0])]


def test_every_text_spoken_once_through_kills_and_a_long_sleep(
    kafka: str, unique: Unique, tmp_path: Path, capsys: Capture
) -> None:
    requests = spoken_requests(100)
    began = time.monotonic()
    with Deployment(
        kafka,
        tmp_path,
        f"{unique('kills')}-",
        ENGINE__NAME="espeak",
        ENGINE__ESPEAK__PROCESSES="1",
        KAFKA__SESSION_TIMEOUT="3",
        WORKER__COMMIT_INTERVAL="0.5",
        WORKER__DRAIN_TIMEOUT="60",
    ) as deployment:
        deployment.topics()
        storm = Storm(deployment, deployment.worker)
        for worker in storm.workers.values():
            worker.ready()
        messages = [deployment.message(request) for request in requests.values()]
        for number in range(3):
            deployment.publish(messages[number * 25 : (number + 1) * 25])
            storm.kill("ab"[number % 2], tree=number == 1)
            until(deployment.finished, "what was published is committed")
        deployment.publish(messages[75:])
        slept = sleep_past_session(deployment, storm)
        until(deployment.finished, "everything is committed")
        seconds = time.monotonic() - began
        storm.drain()
        audios = check(deployment, requests)
    assert storm.kills == 3
    told = (
        f"\n{storm.kills} SIGKILLs with {storm.unfinished} unfinished records, one SIGSTOP past the session with "
        f"{slept}; {len(requests)} ids, {audios} audios, {seconds:.0f} s"
    )
    with capsys.disabled():
        print(told)


def sleep_past_session(deployment: Deployment, storm: Storm) -> int:
    """Stop a worker with unfinished records until others have finished them; then it goes on. How many it had."""
    worker, child = storm.stop_one("a")
    unfinished = worker.unfinished()
    assert unfinished > 0
    until(deployment.finished, "others have finished what the sleeper had")
    assert worker.unfinished() == unfinished
    os.kill(child, signal.SIGCONT)
    until(lambda: not worker.unfinished(), "the sleeper knows that it has lost its partitions")
    return unfinished


def spoken_requests(count: int) -> dict[str, SpeechRequest]:
    """Chinese, English and mixed, long enough to take espeak a while."""
    texts = (
        "您的订单{0}已经付款，我们会尽快为您发货，请您耐心等待。" * 8,
        "Parcel number {0} has left our warehouse and will reach you tomorrow before noon. " * 5,
        "VIP 客户您好, your order {0} 已经发货, thank you very much. " * 5,
    )
    return {
        f"id-{number}": SpeechRequest(source="shop", id=f"id-{number}", text=texts[number % 3].format(number))
        for number in range(count)
    }


def test_a_short_request_is_done_before_a_long_one_ahead_of_it(kafka: str, unique: Unique, tmp_path: Path) -> None:
    long = SpeechRequest(source="shop", id="long", text="a" * 400)
    short = SpeechRequest(source="shop", id="short", text="b")
    with Deployment(kafka, tmp_path, f"{unique('kills')}-", ENGINE__TONE__COST_PER_CHARACTER="0.01") as deployment:
        deployment.topics()
        deployment.publish([deployment.message(long, 1), deployment.message(short, 1)])
        worker = deployment.worker("a")
        until(deployment.finished, "both are committed")
        done = deployment.completed()
        assert done["long"].position.offset < done["short"].position.offset
        assert done["long"].position.partition == done["short"].position.partition == 1
        assert done["short"].completed_at < done["long"].completed_at
        assert [entry["task_id"] for entry in worker.journal.of(COMMITTED)] == ["short", "long"]
        store = deployment.opened_store()
        for result in done.values():
            check_audio(result, store)
