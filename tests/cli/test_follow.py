from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import msgspec
import pytest

from streamer.kafka.base import Message
from streamer.wire import avro
from tests.cli.conftest import Deployment
from tests.cli.processes import line_of, run, started
from tests.downstream.test_follow import AGAIN, DONE, LOST


class Results:
    """Writes to the topics of results in transactions, as a worker does."""

    def __init__(self, deployment: Deployment, unique: Callable[[str], str]) -> None:
        self._topics = deployment.kafka.topics
        self._producer = deployment.broker.producer(unique("writer"))
        self._producer.init(30.0)

    def commit(self, *values: bytes | None, to: str = "completed", commit: bool = True) -> None:
        self._producer.begin()
        for value in values:
            self._producer.produce(Message(topic=getattr(self._topics, to), key=b"k", value=value, partition=0))
        if commit:
            self._producer.commit(30.0)
        else:
            self._producer.abort(30.0)

    def close(self) -> None:
        self._producer.close()


def completed(id_: str) -> bytes:
    return avro.completed().encode(msgspec.structs.replace(DONE, id=id_))


def following(process: Popen[bytes]) -> None:
    """Wait until it stands at the end of its topics."""
    if process.stderr is None:
        raise ValueError("no pipe")
    assert process.stderr.readline().startswith(b"following ")


@pytest.mark.broker
def test_what_was_committed_comes_once_a_line(deployment: Deployment, unique: Callable[[str], str]) -> None:
    results = Results(deployment, unique)
    results.commit(completed("aborted"), commit=False)
    results.commit(b"garbage", completed("1"), completed("2"), completed("3"))
    results.commit(avro.failed().encode(LOST), to="failed")
    results.close()
    done = run("follow", "--from-beginning", "--topic", "completed", "--count", "2", variables=deployment.variables)
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert [line["id"] for line in lines] == ["1", "2"]
    assert lines[0] == json.loads(msgspec.json.encode(msgspec.structs.replace(DONE, id="1")))
    assert b"[0] offset " in done.stderr
    assert b"not an Avro single object" in done.stderr
    done = run("follow", "--from-beginning", "--topic", "failed", "--count", "1", variables=deployment.variables)
    assert json.loads(done.stdout)["original"]["value"] == "AP8="
    results = Results(deployment, unique)
    results.commit(avro.replayed().encode(AGAIN), to="replayed")
    results.close()
    done = run("follow", "--from-beginning", "--topic", "replayed", "--count", "1", variables=deployment.variables)
    assert json.loads(done.stdout) == json.loads(msgspec.json.encode(AGAIN))
    done = run("follow", "--from-beginning", "--count", "3", variables=deployment.variables)
    assert sorted(json.loads(line)["id"] for line in done.stdout.splitlines()) == ["1", "2", "3"]


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_follows_until_a_signal(
    deployment: Deployment, unique: Callable[[str], str], number: signal.Signals
) -> None:
    results = Results(deployment, unique)
    results.commit(completed("before"))
    with started("follow", variables=deployment.variables) as process:
        following(process)
        for id_ in ("1", "2"):
            results.commit(completed(id_))
            assert json.loads(line_of(process))["id"] == id_
        process.send_signal(number)
        assert process.wait(30) == 0
        assert line_of(process) == ""
    results.close()


@pytest.mark.broker
def test_it_ends_once_nobody_reads_it(deployment: Deployment) -> None:
    with started("follow", variables=deployment.variables) as process:
        following(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(10) == 1  # no result came; the next poll, 0.2 s later, finds out


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--topic", "requests"]])
def test_wrong_use(arguments: list[str], tmp_path: Path) -> None:
    done = run("follow", *arguments)
    assert done.returncode == 2
    assert arguments[0].encode() in done.stderr
