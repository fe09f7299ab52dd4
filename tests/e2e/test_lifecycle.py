"""How workers begin, share, stop, and refuse to go on: real processes on a real Kafka."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.kafka.base import Commit, Partition
from streamer.observe.logs import COMMITTED, RECEIVED, STARTED
from streamer.records import SpeechCompleted, SpeechRequest
from tests.faults.cluster import Deployment, until
from tests.faults.promise import check, check_audio
from tests.faults.workers import Worker, children, state

pytestmark = pytest.mark.broker

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@contextmanager
def deployed(kafka: str, tmp_path: Path, *, partitions: int = 3, **variables: str) -> Iterator[Deployment]:
    prefix = f"life-{secrets.token_hex(4)}-"
    with Deployment(kafka, tmp_path, prefix, partitions=partitions, **variables) as deployment:
        yield deployment


@pytest.fixture
def deployment(kafka: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(kafka, tmp_path) as deployment:
        deployment.topics()
        yield deployment


def requests(count: int, first: int = 0, text: str = "number {0}") -> dict[str, SpeechRequest]:
    return {
        f"id-{number}": SpeechRequest(source="shop", id=f"id-{number}", text=text.format(number))
        for number in range(first, first + count)
    }


def publish(deployment: Deployment, requests: dict[str, SpeechRequest], partition: int | None = None) -> None:
    deployment.publish([deployment.message(request, partition) for request in requests.values()])


def spoken(deployment: Deployment, worker: Worker) -> None:
    """All that was published is committed, and the worker ended in order."""
    until(deployment.finished, "everything is committed")
    assert worker.terminate() == 0, worker.journal.text()[-3000:]


def refused(deployment: Deployment, *arguments: str, **variables: str) -> str:
    """What a worker says that ends by itself with exit code 2."""
    worker = deployment.worker("a", *arguments, **variables)
    code = until(lambda: worker.process.poll() is not None and [worker.process.poll()], "the worker ends")
    assert code == [2], worker.journal.text()[-3000:]
    assert "a worker ended that must not be restarted" in worker.journal.text()
    said = [line for line in worker.journal.text().splitlines() if line.startswith("streamer worker ")]
    assert len(said) == 1
    return said[0]


def test_a_webhook_becomes_a_completion_with_its_trace(deployment: Deployment) -> None:
    command = [sys.executable, "-m", "streamer", "bridge", "--port", "0"]
    bridge, log = deployment.process("bridge", command)
    worker = deployment.worker("a").ready()
    said = log.with_suffix(".out")
    until(lambda: "ready http://" in said.read_text(), "the bridge is ready")
    base = said.read_text().split()[1]
    body = {"source": "shop", "id": "paid-1", "text": "您的订单已付款", "metadata": {"order": "A1"}}
    with httpx.Client(base_url=base, timeout=30, headers={"traceparent": TRACE}) as client:
        until(lambda: client.get("/readyz").status_code == 200, "the bridge reaches its dependencies")
        taken = client.post("/webhook/tts", json=body)
        assert (taken.status_code, taken.json()) == (202, {"status": "accepted", "task_id": "paid-1"})
        until(deployment.finished, "it is committed")
        [read] = deployment.results()
        assert isinstance(read.result, SpeechCompleted)
        check_audio(read.result, deployment.opened_store())
        assert (read.result.id, read.result.text, read.result.metadata) == ("paid-1", body["text"], {"order": "A1"})
        assert dict(read.record.headers)["traceparent"] == TRACE.encode()
        steps = [entry for event in (RECEIVED, STARTED, COMMITTED) for entry in worker.journal.of(event)]
        assert [(entry["task_id"], entry["trace_id"]) for entry in steps] == [("paid-1", TRACE.split("-")[1])] * 3

        again = client.post("/webhook/tts", json=body)
        assert again.status_code == 200
        assert again.json()["status"] == "skipped"
        assert again.json()["reason"] == "already exists"
        other = client.post("/webhook/tts", json=body | {"text": "other words"})
        assert (other.status_code, other.json()["code"]) == (409, "id_conflict")
    bridge.terminate()
    assert bridge.wait(60) == 0
    assert len(deployment.results()) == 1


def test_a_group_that_was_never_initialised_is_told(deployment: Deployment) -> None:
    said = refused(deployment, KAFKA__GROUP="nobody")
    assert "NotInitialised" in said
    assert "group nobody was never initialised there; run `streamer topics`" in said


def test_without_topics_it_is_told(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path) as deployment:
        said = refused(deployment)
        assert f"no topic {deployment.kafka.topics.requests}" in said
        assert "run `streamer topics`" in said


def test_lost_commits_stop_it_until_duplicates_are_accepted(deployment: Deployment, kafka: str) -> None:
    publish(deployment, requests(20))
    spoken(deployment, deployment.worker("a"))
    admin = AdminClient({"bootstrap.servers": kafka})
    [deleted] = admin.delete_consumer_groups([deployment.kafka.group]).values()
    deleted.result(30)

    said = refused(deployment)
    assert "CommitsLost" in said
    assert "--accept-duplicates" in said
    done = deployment.run("topics")
    assert "its commit is lost" in done.stderr
    assert set(deployment.commits().values()) == {None}

    publish(deployment, requests(5, 20))
    spoken(deployment, deployment.worker("a", "--accept-duplicates"))
    results = [read.result for read in deployment.results()]
    assert len(results) == 20 + 25
    # Emitted again is what stands in the verdict: the same audio, nothing spoken anew.
    audios = {(r.id, r.audio.sha256, r.completed_at) for r in results if isinstance(r, SpeechCompleted)}
    assert len(audios) == 25


def test_retention_beyond_the_commit_stops_it_until_loss_is_accepted(deployment: Deployment, kafka: str) -> None:
    publish(deployment, requests(3), 0)
    spoken(deployment, deployment.worker("a"))
    publish(deployment, requests(5, 3), 0)
    beyond = TopicPartition(deployment.kafka.topics.requests, 0, 7)
    admin = AdminClient({"bootstrap.servers": kafka})
    [deleted] = admin.delete_records([beyond]).values()
    deleted.result(30)

    said = refused(deployment)
    assert "RetentionPassed" in said
    assert "offset 3 is committed, but the log begins at 7" in said
    assert "--accept-loss" in said

    spoken(deployment, deployment.worker("a", "--accept-loss"))
    assert sorted(deployment.completed()) == ["id-0", "id-1", "id-2", "id-7"]
    publish(deployment, requests(1, 8), 0)
    spoken(deployment, deployment.worker("a"))
    assert len(deployment.results()) == 5


def test_another_store_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    publish(deployment, requests(3))
    spoken(deployment, deployment.worker("a"))
    other = (tmp_path / "other").as_uri()
    said = refused(deployment, STORE__URL=other)
    assert "StoreMismatch" in said
    assert "set store.url to the workers' one, or run `streamer topics`" in said

    deployment.topics(STORE__URL=other, KAFKA__GROUP=f"{deployment.kafka.group}-other")
    said = refused(deployment, STORE__URL=other)
    assert "MetadataMismatch" in said
    assert "set store.url to theirs" in said


@pytest.mark.parametrize(
    ("metadata", "words"),
    [("", "is not streamer's"), ("somebody else's", "is not streamer's"), ("2|a|b|0|r", "newer than 1: update")],
)
def test_foreign_metadata_is_refused(deployment: Deployment, metadata: str, words: str) -> None:
    partition = Partition(deployment.kafka.topics.requests, 1)
    deployment.admin.set_commits(deployment.kafka.group, {partition: Commit(0, metadata)}, 10.0)
    said = refused(deployment)
    assert "MetadataMismatch" in said
    assert words in said
    publish(deployment, requests(4))
    spoken(deployment, deployment.worker("a", "--accept-duplicates"))
    check(deployment, requests(4))


def test_two_workers_of_one_name_end_with_a_reason(kafka: str, tmp_path: Path) -> None:
    """Each fences the other as it starts again, as long as there is something to commit."""
    with deployed(kafka, tmp_path, KAFKA__SESSION_TIMEOUT="2") as deployment:
        deployment.topics()
        pair = [deployment.worker("same"), deployment.worker("same")]
        sent = 0

        def one_ended() -> bool:
            nonlocal sent
            publish(deployment, requests(30, sent))
            sent += 30
            return any(worker.process.poll() is not None for worker in pair)

        until(one_ended, "one of them ends")
        first = next(worker for worker in pair if worker.process.poll() is not None)
        second = next(worker for worker in pair if worker is not first)
        assert first.process.poll() == 2, first.journal.text()[-3000:]
        assert "fenced twice within a minute" in first.journal.text()
        assert "give each worker its own --instance" in first.journal.text()
        if second.process.poll() is None:  # it is alone now
            spoken(deployment, second)
        else:
            spoken(deployment, deployment.worker("same"))
        check(deployment, requests(sent))


def test_sigterm_drains_everything_that_was_received(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path, ENGINE__TONE__COST_PER_CHARACTER="0.02", WORKER__DRAIN_TIMEOUT="90") as deployment:
        deployment.topics()
        publish(deployment, requests(100))
        worker = deployment.worker("a").ready()
        until(lambda: worker.unfinished() >= 20 and worker.journal.of(COMMITTED), "it is in the middle of its work")
        assert worker.terminate() == 0
        received = {entry["task_id"] for entry in worker.journal.of(RECEIVED)}
        assert received == {entry["task_id"] for entry in worker.journal.of(COMMITTED)}
        assert worker.unfinished() == 0
        assert set(deployment.completed()) == received


def test_a_drain_that_takes_too_long_is_cut_and_the_rest_left_to_others(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path, ENGINE__TONE__COST_PER_CHARACTER="0.02") as deployment:
        deployment.topics()
        publish(deployment, requests(60, text="a rather long text, the {0}. of its kind" * 3))
        worker = deployment.worker("a", WORKER__DRAIN_TIMEOUT="0.5").ready()
        until(lambda: worker.unfinished() >= 50, "it has more to do than it may")
        assert worker.terminate() == 0
        assert "drain timed out" in worker.journal.text()
        assert len(worker.journal.of(COMMITTED)) < 60
        spoken(deployment, deployment.worker("b", ENGINE__TONE__COST_PER_CHARACTER="0"))
        check(deployment, requests(60, text="a rather long text, the {0}. of its kind" * 3))


def test_the_supervisor_restarts_its_process_and_takes_it_along(deployment: Deployment) -> None:
    worker = deployment.worker("a").ready()
    first = worker.child
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: worker.child not in (None, first), "another process")
    publish(deployment, requests(5))
    until(deployment.finished, "the other process works")
    second = worker.child
    assert second is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait(60)
    until(lambda: state(second) in "Z-", "the process is gone with its supervisor")
    check(deployment, requests(5))


def test_two_processes_share_the_partitions(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path, partitions=4, ENGINE__TONE__COST_PER_CHARACTER="0.005") as deployment:
        deployment.topics()
        worker = deployment.worker("a", "--processes", "2").ready()
        until(lambda: set(held_by(worker)) == {"a-0", "a-1"} and shared(worker), "both have partitions")
        assert len(children(worker.process.pid)) == 2
        publish(deployment, requests(80))
        spoken(deployment, worker)
        check(deployment, requests(80))
        assert {entry["instance"] for entry in worker.journal.of(COMMITTED)} == {"a-0", "a-1"}


def held_by(worker: Worker) -> dict[str, set[str]]:
    """Partitions by instance, as the log tells."""
    held: dict[str, set[str]] = {}
    for entry in worker.journal.refresh().events:
        if entry["event"] == "partitions assigned":
            held.setdefault(entry["instance"], set()).update(entry["partitions"])
        elif entry["event"] in ("partitions revoked", "partitions lost"):
            held.setdefault(entry["instance"], set()).difference_update(entry["partitions"])
    return held


def shared(worker: Worker) -> bool:
    """Two each, and nobody else's."""
    one, other = held_by(worker).values()
    return len(one) == len(other) == 2 and not one & other


def test_the_consumer_protocol_does_the_same(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path, KAFKA__PROTOCOL="consumer", ENGINE__TONE__COST_PER_CHARACTER="0.005") as deployment:
        deployment.topics()
        first = deployment.worker("a").ready()
        publish(deployment, requests(150))
        until(lambda: first.journal.of(COMMITTED), "it works")
        second = deployment.worker("b").ready()
        until(lambda: second.journal.refresh().partitions, "the second one has partitions")
        child = first.child
        assert child is not None
        os.kill(child, signal.SIGKILL)
        publish(deployment, requests(50, 150))
        until(deployment.finished, "everything is committed")
        assert [first.terminate(), second.terminate()] == [0, 0]
        check(deployment, requests(200))
