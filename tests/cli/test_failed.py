from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.kafka.base import Message
from streamer.records import SpeechFailed
from streamer.wire import avro
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, environment, run
from tests.cli.test_bridge import away
from tests.downstream.test_follow import LOST

HOUR = 3_600_000
NOON = 1_795_000_000_000
"""2026-11-18 11:06:40 UTC."""


def failed(id_: str, code: str, at: int, retryable: bool = False) -> SpeechFailed:
    return msgspec.structs.replace(
        LOST, id=id_, code=code, message=f"why {id_} 失败", failed_at=at, retryable=retryable
    )


def written(deployment: Deployment, unique: Callable[[str], str], *values: bytes | None, commit: bool = True) -> None:
    """To all partitions of the topic of failures, in one transaction."""
    producer = deployment.broker.producer(unique("writer"))
    producer.init(30.0)
    producer.begin()
    for number, value in enumerate(values):
        producer.produce(Message(topic=deployment.kafka.topics.failed, key=b"k", value=value, partition=number % 3))
    if commit:
        producer.commit(30.0)
    else:
        producer.abort(30.0)
    producer.close()


def groups(deployment: Deployment, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    done = run("failed", *arguments, variables=deployment.variables)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


@pytest.mark.parametrize("command", ["failed", "follow"])
def test_a_kafka_that_is_away_is_named_and_the_log_is_short(command: str) -> None:
    with away() as servers:
        done = run(command, variables={"KAFKA__BOOTSTRAP_SERVERS": servers})
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = complaints(done.stderr)
    assert line.startswith(f"{servers} does not answer (")
    assert "set kafka.bootstrap_servers" in line
    assert 0 < done.stderr.count(b"Connection refused") < 10


@pytest.mark.broker
def test_what_stands_there_by_code(deployment: Deployment, unique: Callable[[str], str]) -> None:
    assert groups(deployment) == ([], f"streamer: {deployment.kafka.topics.failed} is empty\n")
    some = [failed(f"e{number}", "expired", NOON + number) for number in range(700)]
    some += [failed("v", "voice_unknown", NOON + HOUR, retryable=True)]
    written(deployment, unique, *map(avro.failed().encode, some))
    written(deployment, unique, b"garbage", None, avro.failed().encode(failed("last", "expired", NOON + 2 * HOUR)))
    written(deployment, unique, avro.failed().encode(failed("never", "undecodable", NOON)), commit=False)
    (expired, voice), said = groups(deployment)
    assert expired == {
        "code": "expired",
        "retryable": False,
        "count": 701,
        "first_failed_at": NOON,
        "last_failed_at": NOON + 2 * HOUR,
        "source": "shop",
        "id": "last",
        "message": "why last 失败",
    }
    assert (voice["code"], voice["count"], voice["retryable"]) == ("voice_unknown", 1, True)
    assert f"2 entries of {deployment.kafka.topics.failed} are no failures" in said
    assert "not an Avro single object" in said or "has no value" in said  # they stand in two partitions

    assert [group["code"] for group in groups(deployment, "--code", "voice_unknown")[0]] == ["voice_unknown"]
    later, _ = groups(deployment, "--since", "2026-11-18T12:06:40+00:00")
    assert [(group["code"], group["count"]) for group in later] == [("expired", 1), ("voice_unknown", 1)]
    nothing, said = groups(deployment, "--since", "2100-01-01", "--json")
    assert nothing == []
    assert "no such failures" in said


@pytest.mark.broker
@pytest.mark.parametrize("columns", [80, 140])
def test_a_table_on_a_terminal(deployment: Deployment, unique: Callable[[str], str], columns: int) -> None:
    written(deployment, unique, avro.failed().encode(failed("one", "template_error", NOON, retryable=True)))
    ours, theirs = pty.openpty()
    program = [sys.executable, "-m", "streamer", "failed"]
    variables = environment(deployment.variables) | {"COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen(program, stdout=theirs, stderr=subprocess.PIPE, env=variables)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # the other end of a terminal was closed: what Linux says for its end
        pass
    finally:
        os.close(ours)
        _, said = process.communicate(timeout=60)
    text = shown.decode()
    assert process.returncode == 0, said
    for word in ("template_error", "yes", "shop/one:", "失败", "2026-11-"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--code", "unheard_of"), b"--code"), (("--since", "yesterday"), b"'yesterday' is neither 30s, 15m")],
)
def test_wrong_use(arguments: tuple[str, str], says: bytes, tmp_path: Path) -> None:
    done = run("failed", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
