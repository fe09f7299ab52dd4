"""Replays as a person runs them: real processes on a real Kafka."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.identity import Identity
from streamer.kafka.base import Message
from streamer.records import Event, SpeechReplayed, SpeechRequest
from streamer.store.verdicts import Completed, Verdict, Verdicts, audio_key
from streamer.wire import avro
from tests.faults.cluster import Deployment, until
from tests.faults.workers import Journal

pytestmark = pytest.mark.broker

SLOW = {"ENGINE__TONE__COST_PER_CHARACTER": "0.02", "ENGINE__TONE__ROWS": "1"}
"""About 0.2 s a record."""


@contextmanager
def deployed(kafka: str, tmp_path: Path, *, partitions: int = 3, **variables: str) -> Iterator[Deployment]:
    prefix = f"replay-{secrets.token_hex(4)}-"
    with Deployment(kafka, tmp_path, prefix, partitions=partitions, **variables) as deployment:
        deployment.topics()
        yield deployment


@pytest.fixture
def deployment(kafka: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(kafka, tmp_path, KAFKA__SESSION_TIMEOUT="2", KAFKA__TRANSACTION_TIMEOUT="3") as deployment:
        yield deployment


def spoken(deployment: Deployment, *messages: Message, **variables: str) -> None:
    """Publish, and let a worker finish all of it."""
    deployment.publish(messages)
    worker = deployment.worker("a", **variables).ready()
    until(deployment.finished, "everything is committed")
    assert worker.terminate() == 0, worker.journal.text()[-3000:]


def plain(deployment: Deployment, count: int, partition: int | None = None) -> list[Message]:
    requests = [SpeechRequest(source="shop", id=f"id-{n}", text=f"number {n}") for n in range(count)]
    return [deployment.message(request, partition) for request in requests]


def replays(deployment: Deployment, run: str = "") -> list[SpeechReplayed]:
    """What is committed on the topic of replays, of one run or of all."""
    found = [avro.replayed().decode(record.value) for record in deployment.records(deployment.kafka.topics.replayed)]
    return [replayed for replayed in found if run in ("", replayed.run)]


def more_than(deployment: Deployment, count: int) -> bool:
    return len(replays(deployment)) > count


def told(done: CompletedProcess[str]) -> dict[str, Any]:
    """The summary of `--json`."""
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def outcomes(done: CompletedProcess[str]) -> dict[str, int]:
    """Those that came."""
    return {outcome: count for outcome, count in told(done)["outcomes"].items() if count}


def audible(deployment: Deployment) -> dict[str, float]:
    """When each audio and each verdict was last written, by its key."""
    entries = deployment.opened_store().entries("")
    return {entry.key: entry.modified for entry in entries if not entry.key.startswith(("groups/", "replays/"))}


def begun(deployment: Deployment, *arguments: str, **variables: str) -> tuple[Popen[bytes], Path]:
    """A replay as a process, and its log; its standard output stands beside it, `.out`."""
    return deployment.process("replay", [sys.executable, "-m", "streamer", "replay", *arguments], **variables)


@pytest.mark.parametrize("engine", ["tone", "espeak"])
def test_the_same_engine_makes_the_same_bytes_again(deployment: Deployment, engine: str) -> None:
    spoken(deployment, *plain(deployment, 100), ENGINE__NAME=engine)
    before, completed = audible(deployment), len(deployment.completed())

    done = deployment.run("replay", "--all", "--verify", "--json", ENGINE__NAME=engine)
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {"identical": 100}
    assert len(replays(deployment, "verify-all/1")) == 100
    assert audible(deployment) == before  # compared, and nothing written
    assert len(deployment.results()) == completed == 100

    again = deployment.run("replay", "--all", "--verify", "--json", ENGINE__NAME=engine)
    assert (again.returncode, told(again)) == (0, told(done))
    assert "run verify-all/1 is finished; `--restart` begins it anew" in again.stderr
    assert len(replays(deployment)) == 100


def test_another_engine_is_told_for_each_record_and_a_restart_checks_anew(deployment: Deployment) -> None:
    spoken(deployment, *plain(deployment, 30))
    changed = {"ENGINE__TONE__SECONDS_PER_CHARACTER": "0.006"}
    done = deployment.run("replay", "monday", "--all", "--verify", **changed)
    assert done.returncode == 1, done.stderr
    summary = done.stdout.splitlines()
    assert summary[0] == "run monday/1, --all --verify: 30 records, 30 checked"
    assert "  different        30: engine 30" in summary
    lines = [line for line in summary if line.startswith("different shop/id-")]
    assert len(lines) == 20
    assert all("] offset " in line and "engine: tone" in line for line in lines)
    assert summary[-1].startswith("and 10 more; `streamer follow --topic replayed --from-beginning`")

    assert deployment.run("replay", "monday", **changed).returncode == 1  # as its summary says
    again = deployment.run("replay", "monday", "--restart", "--json")
    assert (again.returncode, outcomes(again), told(again)["run"]) == (0, {"identical": 30}, "monday/2")
    assert Counter(replayed.run for replayed in replays(deployment)) == {"monday/1": 30, "monday/2": 30}


def test_a_wrong_template_is_corrected_and_replayed(kafka: str, tmp_path: Path) -> None:
    """The story: wrong words were spoken, the rule is mended, the range replayed, and everybody is told."""
    rules = tmp_path / "events.toml"
    rules.write_text('[events.paid]\ntemplate = "Order {{ data.number }} is paied."\n')
    with deployed(kafka, tmp_path, EVENTS__FILE=str(rules)) as deployment:

        def paid(number: int) -> Message:
            event = Event(type="paid", data=json.dumps({"number": number}))
            return deployment.message(SpeechRequest(source="shop", id=f"order-{number}", event=event), 0)

        def latest(number: int) -> tuple[Verdict, Completed]:
            verdict = Verdicts(deployment.opened_store()).latest(Identity("shop", f"order-{number}"))
            assert verdict is not None
            assert isinstance(verdict.state, Completed)
            return verdict, verdict.state

        spoken(deployment, *map(paid, range(6)))
        emitted = [read.result for read in deployment.results()]
        assert latest(3)[1].recipe.text == "Order 3 is paied."

        rules.write_text('[events.paid]\ntemplate = "Order {{ data.number }} is paid."\n')
        done = deployment.run("replay", "--from", "2", "--to", "5", "--partition", "0", "--promote", "--json")
        assert done.returncode == 0, done.stderr
        assert outcomes(done) == {"promoted": 3}
        assert told(done)["reasons"] == {"promoted": {"template": 3, "text": 3}}

        for number in range(6):
            affected = number in (2, 3, 4)
            verdict, state = latest(number)
            assert state.recipe.text == f"Order {number} is {'paid' if affected else 'paied'}."
            assert verdict.generation == 1 + affected
            file = deployment.opened_store().get(audio_key(verdict.identity, state.audio))
            assert file is not None
            assert len(file) == state.audio.bytes
        told_ = {replayed.id: replayed for replayed in replays(deployment)}
        assert sorted(told_) == ["order-2", "order-3", "order-4"]
        assert told_["order-3"].audio == latest(3)[1].audio != told_["order-3"].previous
        assert (told_["order-3"].text, told_["order-3"].generation) == ("Order 3 is paid.", 2)
        assert [read.result for read in deployment.results()] == emitted  # nothing there is told twice


def test_what_is_not_made_again_is_told_with_its_reason(deployment: Deployment) -> None:
    twin = SpeechRequest(source="shop", id="id-0", text="other words")
    garbage = Message(topic=deployment.kafka.topics.requests, key=None, value=b"garbage")
    late = SpeechRequest(source="shop", id="late", text="late", expires_at=1)
    messages = [
        *plain(deployment, 5),
        *plain(deployment, 1),
        deployment.message(twin),
        deployment.message(late),
        garbage,
    ]
    spoken(deployment, *messages)
    deployment.publish([deployment.message(SpeechRequest(source="shop", id="new", text="new"))])
    done = deployment.run("replay", "--all", "--json")
    assert done.returncode == 0, done.stderr
    assert outcomes(done) == {"identical": 5, "skipped": 5}
    reasons = dict.fromkeys(["duplicate", "conflict", "failed", "undecodable", "undecided"], 1)
    assert told(done)["reasons"]["skipped"] == reasons
    nothing = deployment.run("replay", "--id", "late", "--source", "shop", "--json")
    assert (nothing.returncode, outcomes(nothing)) == (1, {"skipped": 1})  # nothing was checked


def test_killed_again_and_again_it_tells_each_record_once(deployment: Deployment) -> None:
    count, kills = 100, 5
    spoken(deployment, *plain(deployment, count))
    done = 0
    for kill in range(kills):
        process, log = begun(deployment, "--all", "--verify", **SLOW)
        until(partial(more_than, deployment, done), "it has committed more")
        assert process.poll() is None, log.read_text()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        done = len(replays(deployment))
        assert done < count, f"finished before kill {kill + 1}"
    ended = deployment.run("replay", "--all", "--verify", "--json")
    assert ended.returncode == 0, ended.stderr
    assert outcomes(ended) == {"identical": count}
    positions = Counter((r.position.partition, r.position.offset) for r in replays(deployment, "verify-all/1"))
    assert len(positions) == count
    assert set(positions.values()) == {1}


def test_started_twice_the_work_is_shared(deployment: Deployment) -> None:
    spoken(deployment, *plain(deployment, 120))
    slow = SLOW | {"LOG__LEVEL": "debug"}
    first = begun(deployment, "monday", "--all", "--verify", "--json", **slow)
    until(lambda: replays(deployment), "the first one works")
    second = begun(deployment, "monday", "--json", **slow)
    assert [process.wait(120) for process, _ in (first, second)] == [0, 0], second[1].read_text()[-3000:]
    one, other = (json.loads(log.with_suffix(".out").read_text()) for _, log in (first, second))
    assert one == other
    assert one["outcomes"]["identical"] == 120
    instances = [{entry["instance"] for entry in Journal(log).of("COMMITTED")} for _, log in (first, second)]
    assert [len(names) for names in instances] == [1, 1]
    assert instances[0] != instances[1]
    assert Counter(r.id for r in replays(deployment)) == {f"id-{number}": 1 for number in range(120)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(deployment: Deployment, number: signal.Signals) -> None:
    spoken(deployment, *plain(deployment, 60))
    process, log = begun(deployment, "monday", "--all", **SLOW, WORKER__DRAIN_TIMEOUT="1")
    until(lambda: replays(deployment), "it works")
    process.send_signal(number)
    assert process.wait(60) == 130, log.read_text()
    assert log.read_text().count("finishing what was begun, at most 1 s; a second Ctrl-C ends at once") == 1
    assert "interrupted; `streamer replay monday` goes on with run monday/1" in log.read_text()
    assert log.with_suffix(".out").read_text() == ""
    assert 0 < len(replays(deployment)) < 60
    done = deployment.run("replay", "monday", "--json")
    assert (done.returncode, outcomes(done)) == (0, {"identical": 60}), done.stderr


def test_what_retention_took_is_said_in_numbers(kafka: str, tmp_path: Path) -> None:
    with deployed(kafka, tmp_path, partitions=1) as deployment:
        spoken(deployment, *plain(deployment, 10))
        topic = deployment.kafka.topics.requests

        admin = AdminClient({"bootstrap.servers": kafka})

        def take(offset: int) -> None:
            [deleted] = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
            deleted.result(30)

        take(4)
        done = deployment.run("replay", "--from", "1", "--to", "8", "--verify", "--json")
        assert done.returncode == 0, done.stderr
        assert outcomes(done) == {"identical": 4}
        assert told(done)["ranges"] == [{"partition": 0, "begin": 4, "end": 8, "gone": 3}]
        assert f"{topic}[0]: offsets [4, 8), 4 of them; 3 that were asked for are gone" in done.stderr

        take(10)
        for asked in (["--all"], ["--from", "2", "--to", "6"], ["--id", "id-3", "--source", "shop"]):
            done = deployment.run("replay", *asked)
            assert done.returncode == 1, asked
            assert "that were asked for are gone: retention has passed them" in done.stderr
            assert "nothing to be replayed; no run was begun" in done.stderr
        assert list(deployment.opened_store().list("replays/")) != []
        assert deployment.run("replay", "regenerate-all").returncode == 2  # it is not there
