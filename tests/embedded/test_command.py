"""`streamer kafka` as a program."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.embedded import jars, java, ports
from streamer.errors import EmbeddedError
from streamer.kafka.confluent_admin import reach
from tests.conftest import missing

pytestmark = pytest.mark.broker


@pytest.fixture(scope="session", autouse=True)
def _can_run() -> None:
    try:
        java.find()
        jars.classpath()
    except EmbeddedError as error:
        missing(str(error))


@contextmanager
def _kafka(data: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-c",
        "from streamer.cli.main import main; main()",
        "kafka",
        "--data",
        str(data),
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout is not None else ""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_ready_answers_and_stops(tmp_path: Path, stop: signal.Signals) -> None:
    with _kafka(tmp_path / "kafka", "--port", "0") as process:
        line = _line(process)
        assert line.startswith("ready 127.0.0.1:")
        servers = line.removeprefix("ready ").rstrip("\n")
        reach(servers, 10.0)
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert not ports.accepts(int(servers.split(":")[1]))


def test_a_port_in_use_is_exit_1_and_one_clear_line(tmp_path: Path) -> None:
    with _kafka(tmp_path / "kafka", "--port", "0") as first:
        port = _line(first).rsplit(":", 1)[1].strip()
        with _kafka(tmp_path / "other", "--port", port) as second:
            out, err = second.communicate(timeout=60)
        assert (second.returncode, out) == (1, "")
        assert err.startswith(f"streamer: port {port} of 127.0.0.1 is in use")
        assert err.count("\n") == 1
        first.terminate()
        assert first.wait(60) == 0


def test_a_broker_that_dies_is_exit_1_with_its_log(tmp_path: Path) -> None:
    with _kafka(tmp_path / "kafka", "--port", "0") as process:
        assert _line(process).startswith("ready ")
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        subprocess.run(["kill", "-KILL", child], check=True)  # noqa: S607
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ended by itself" in err
    assert "broker.log says" in err
