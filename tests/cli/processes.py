"""`streamer` as a process of its own, ended with the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_STREAMER = (sys.executable, "-c", "from streamer.cli.main import main; main()")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours less its own STREAMER_ variables, plus `variables` with that prefix."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    return {**kept, **{f"STREAMER_{name}": value for name, value in variables.items()}}


def run(
    *arguments: str, variables: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*_STREAMER, *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=environment(variables or {}),
        check=False,
    )


@contextmanager
def started(*arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A running command; killed at the end, should it still run."""
    process = subprocess.Popen(
        [*_STREAMER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(variables or {}),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[bytes]) -> str:
    """The next line on its standard output; empty at the end."""
    if process.stdout is None:
        raise ValueError("the process was started without a pipe for its output")
    return process.stdout.readline().decode().rstrip("\n")


def complaints(stderr: bytes) -> list[str]:
    """What the command itself said on standard error; the log's lines, JSON objects, left out."""
    prefix = "streamer: "
    return [line.removeprefix(prefix) for line in stderr.decode().splitlines() if line.startswith(prefix)]
