from __future__ import annotations

import json
import signal
import time
import uuid
from pathlib import Path

import pytest

from streamer.wire import avro
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, line_of, run, started
from tests.cli.test_bridge import away, drained, variables


def hello(id_: str) -> str:
    return json.dumps({"source": "shop", "id": id_, "text": "hello"})


@pytest.mark.broker
def test_a_file_is_published_in_order(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    ids = [f"{number:04}" for number in range(2_000)]
    file.write_text("\n".join([*map(hello, ids), '{"text": "hello"}']), encoding="utf-8")
    done = run("submit", str(file), variables=deployment.variables)
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    *printed, made = done.stdout.decode().splitlines()
    assert printed == ids
    uuid.UUID(made)
    records = drained(deployment.broker.reader([deployment.kafka.topics.requests], from_beginning=True))
    assert sorted(avro.requests().decode(record.value).id for record in records) == sorted([*ids, made])


@pytest.mark.broker
def test_wrong_lines_are_told_and_the_others_go(deployment: Deployment) -> None:
    lines = [hello("a"), "{oops", '{"source": "s", "text": " ", "seed": -1}', hello("b")]
    done = run("submit", "-", variables=deployment.variables, stdin="\n".join(lines).encode())
    assert (done.returncode, done.stdout) == (1, b"a\nb\n")
    assert [line.split(":")[0] for line in complaints(done.stderr)] == [
        "line 2, body",
        "line 3, text",
        "line 3, seed",
    ]


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_silent_pipe(deployment: Deployment, number: signal.Signals) -> None:
    with started("submit", "-", variables=deployment.variables) as process:
        if process.stdin is None:
            raise ValueError("no pipe")
        process.stdin.write(hello("a").encode() + b"\n")
        process.stdin.flush()
        assert line_of(process) == "a"
        process.send_signal(number)
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert b"stopped after line 1" in process.stderr.read()


def test_a_kafka_that_is_away_is_named_once_and_nothing_is_sent(tmp_path: Path) -> None:
    with away() as servers:
        begun = time.monotonic()
        lines = "\n".join(map(hello, "abc")).encode()
        done = run("submit", "-", variables=variables(tmp_path, servers), stdin=lines)
        assert time.monotonic() - begun < 20  # 5 s, and the start of Python on a busy machine
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = complaints(done.stderr)
    assert line.startswith(f"{servers} does not answer (")
    assert "kafka.bootstrap_servers" in line


@pytest.mark.broker
def test_a_topic_that_does_not_exist_is_told_and_not_made(deployment: Deployment) -> None:
    given = deployment.variables | {"KAFKA__TOPICS__REQUESTS": "nowhere"}
    done = run("submit", "-", variables=given, stdin=hello("a").encode())
    assert (done.returncode, done.stdout) == (2, b"")
    [line] = complaints(done.stderr)
    assert line.startswith("topic nowhere does not exist; run `streamer topics`")
    assert deployment.broker.admin().topics(["nowhere"], 10.0) == {"nowhere": None}


def test_a_file_that_is_missing_is_wrong_use() -> None:
    done = run("submit", "no-such-file.jsonl")
    assert done.returncode == 2
    assert b"no-such-file.jsonl" in done.stderr
