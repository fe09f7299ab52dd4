"""What every command that opens the store says of a mistake in [store] or the credentials: one line, soon."""

from __future__ import annotations

import time

import pytest

from streamer.embedded.ports import choose
from tests.cli.conftest import Deployment
from tests.cli.processes import run
from tests.faults.proxy import Fault, FaultProxy
from tests.store.s3server import S3Server

pytestmark = pytest.mark.broker

_SOON = 60.0
"""Seconds; obstore by itself tries for three minutes. A busy machine takes its time for all else."""
"""Seconds; the default store.timeout is 10."""
_COMMANDS = (("check",), ("topics",), ("bridge",), ("worker", "--instance", "a", "--process", "0"))


def told(command: tuple[str, ...], variables: dict[str, str], says: str) -> int:
    """The command's exit code, after one line that says it."""
    began = time.monotonic()
    done = run(*command, variables=variables)
    output = (done.stdout + done.stderr).decode()
    lines = [line for line in output.splitlines() if says in line]
    assert len(lines) == 1, output
    assert "Traceback" not in output
    assert time.monotonic() - began < _SOON
    return done.returncode


@pytest.fixture
def variables(deployment: Deployment, s3: S3Server) -> dict[str, str]:
    return deployment.variables | {
        "STORE__URL": "s3://streamer/mistakes",
        "STORE__ENDPOINT": s3.endpoint,
        "BRIDGE__PORT": "0",
    }


@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: command[0])
def test_wrong_credentials(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert told(command, variables, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") == 2


@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: command[0])
def test_a_missing_bucket(variables: dict[str, str], command: tuple[str, ...]) -> None:
    variables["STORE__URL"] = "s3://nobody-made-this/x"
    assert told(command, variables, "has no such bucket: create it, or set store.url") == 2


@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: command[0])
def test_an_endpoint_where_nobody_listens(variables: dict[str, str], command: tuple[str, ...]) -> None:
    endpoint = variables["STORE__ENDPOINT"] = f"http://127.0.0.1:{choose()}"
    assert told(command, variables, f"at {endpoint} cannot be used (no connection") == 1


@pytest.mark.parametrize("command", _COMMANDS, ids=lambda command: command[0])
def test_an_endpoint_that_says_nothing(variables: dict[str, str], s3: S3Server, command: tuple[str, ...]) -> None:
    with FaultProxy(s3.port, lambda method, target: Fault.HANG, give_up=30) as proxy:
        variables |= {"STORE__ENDPOINT": proxy.endpoint, "STORE__TIMEOUT": "10" if command == ("check",) else "2"}
        assert told(command, variables, "no answer in time") == 1


def test_a_check_of_a_store_that_is_well(variables: dict[str, str]) -> None:
    assert run("topics", variables=variables).returncode == 0
    done = run("check", variables=variables)
    assert done.returncode == 0, done.stdout
    assert b"ok store s3://streamer/mistakes, id " in done.stdout
