"""One worker as a test sees it: its processes, and what its log says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from streamer.observe.logs import COMMITTED, RECEIVED

_PATIENCE = 60.0


class Journal:
    """A worker's log, read as it grows. Knows which records the process of now has received and not committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self.events: list[dict[str, Any]] = []
        self.unfinished: Counter[tuple[int, str]] = Counter()
        """(partition, id)."""
        self.partitions: set[int] = set()

    def refresh(self) -> Journal:
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            if line.startswith(b"{"):
                self._note(json.loads(line))
        return self

    def of(self, event: str) -> list[dict[str, Any]]:
        """All of one kind, over all processes so far."""
        return [entry for entry in self.refresh().events if entry["event"] == event]

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    def _note(self, entry: dict[str, Any]) -> None:
        self.events.append(entry)
        event = entry["event"]
        if event == RECEIVED:
            self.unfinished[entry["partition"], entry["task_id"]] += 1
        elif event == COMMITTED:
            self.unfinished[entry["partition"], entry["task_id"]] -= 1
        elif event == "a worker died, restarting" or event.startswith("a transaction's outcome is unknown"):
            self.unfinished.clear()
            if event.startswith("a worker"):
                self.partitions.clear()
        elif event == "partitions assigned":
            self.partitions |= _numbers(entry)
        elif event in ("partitions revoked", "partitions lost"):
            gone = _numbers(entry)
            self.partitions -= gone
            for key in [key for key in self.unfinished if key[0] in gone]:
                del self.unfinished[key]


class Worker:
    """A supervisor and the one process under it."""

    def __init__(self, instance: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.instance, self.process = instance, process
        self.journal = Journal(log)
        self._said = log.with_suffix(".out")

    @property
    def child(self) -> int | None:
        """The worker process; None between two."""
        found = children(self.process.pid)
        return found[0] if found else None

    def ready(self) -> Worker:
        deadline = time.monotonic() + _PATIENCE
        while "ready" not in self._said.read_text().splitlines():
            assert self.process.poll() is None, f"{self.instance} ended:\n{self.journal.text()[-3000:]}"
            assert time.monotonic() < deadline, f"{self.instance} is not ready:\n{self.journal.text()[-3000:]}"
            time.sleep(0.02)
        return self

    def unfinished(self) -> int:
        """Records that the process has received and not committed, by its log."""
        return sum(self.journal.refresh().unfinished.values())

    def caught_unfinished(self) -> int | None:
        """The process, stopped (SIGSTOP) with unfinished records; None, and it runs on, where it has none."""
        child = self.child
        if child is None or not self.unfinished():
            return None
        os.kill(child, signal.SIGSTOP)
        while state(child) not in "TZ":
            time.sleep(0.001)
        if state(child) == "T" and self.unfinished() and self.child == child:
            return child
        os.kill(child, signal.SIGCONT)
        return None

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """SIGKILL to the supervisor; the process under it goes with it."""
        below = children(self.process.pid)
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + _PATIENCE
        while any(state(pid) not in "Z-" for pid in below):
            assert time.monotonic() < deadline, f"{self.instance}: {below} outlive their supervisor"
            time.sleep(0.01)


def children(parent: int) -> list[int]:
    """Processes that were started by `parent` and are not dead."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name)))[1:2] == [str(parent)] and fields[0] != "Z":
            found.append(int(folder.name))
    return sorted(found)


def state(pid: int) -> str:
    """R, S, T (stopped), Z … as the kernel calls it; `-` where there is no such process."""
    return (_stat(pid) or ["-"])[0]


def _stat(pid: int) -> list[str]:
    """State, parent and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _numbers(entry: dict[str, Any]) -> set[int]:
    """`topic[3]` → 3."""
    return {int(name.rpartition("[")[2].rstrip("]")) for name in entry["partitions"]}
