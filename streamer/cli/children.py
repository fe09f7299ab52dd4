"""Commands of `streamer` as child processes: started, awaited, watched and stopped."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streamer.errors import StreamerError
from streamer.launch import dying_with_parent

_READY = "ready"
_LINES = 8
_LOOK = 0.1
_FULL = 64 * 1024 * 1024
_OWN = "streamer"
_CHATTER = ('"level": "info"', '"level": "debug"')


class Child:
    """`streamer NAME …` in a session of its own, so that a Ctrl-C in the terminal does not reach it before `stop`.

    It dies (SIGKILL) with the thread that made it, and its standard error goes to `log`, anew each time. As a context
    manager it is stopped at the end.
    """

    def __init__(
        self,
        name: str,
        *arguments: str,
        environment: Mapping[str, str],
        logs: Path,
        watch: Callable[[], None],
        patience: float = 10.0,
    ) -> None:
        """`watch` is called again and again while one waits, and may raise. `patience`: seconds that it has to end
        after SIGTERM."""
        self.name, self.log, self._watch = name, logs / f"{name}.log", watch
        self._patience = patience
        command = [sys.executable, "-m", "streamer", name, *arguments]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                dying_with_parent(command),
                bufsize=0,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def ready(self, timeout: float) -> str:
        """Wait until it says `ready`; what follows the word. Errors: StreamerError where it ended, or took longer."""
        return self._await(_READY, timeout).removeprefix(_READY).strip()

    def done(self, timeout: float) -> None:
        """Wait until it ends well. Errors: StreamerError where it failed, or took longer."""
        end = time.monotonic() + timeout
        while (status := self._ends_within(_LOOK)) is None:
            self._watch()
            if time.monotonic() > end:
                raise self._late(timeout)
        if status != 0:
            raise self._ended(status)

    def check(self) -> None:
        """Errors: StreamerError, with the telling lines of its log, where it has ended."""
        status = self._process.poll()
        if status is not None:
            raise self._ended(status)

    def stop(self) -> None:
        """Stop it in order, by force when its patience is over."""
        self._process.terminate()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _await(self, word: str, timeout: float) -> str:
        said = self._process.stdout
        if said is None:
            raise ValueError("the child was started without a pipe for its output")
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self._watch()
            self.check()
            if select.select([said], [], [], _LOOK)[0]:
                line = said.readline().decode("utf-8", "replace")
                if line.startswith(word):
                    return line
                if not line:  # it is about to end; `check` says how
                    time.sleep(0.05)
        raise self._late(timeout)

    def _ends_within(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def _late(self, timeout: float) -> StreamerError:
        return StreamerError(f"streamer {self.name} was not ready within {timeout:.0f} s; {self._telling()}")

    def _ended(self, status: int) -> StreamerError:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with exit code {status}"
        return StreamerError(f"streamer {self.name} {how}; {self._telling()}")

    def _telling(self) -> str:
        free = shutil.disk_usage(self.log.parent).free
        # Then the log may be silent, for want of room.
        full = f"the disk is full, {free // 1_000_000} MB are free; " if free < _FULL else ""
        return "\n  ".join([f"{full}its log {self.log} says:", *telling(self.log)])


def telling(log: Path, most: int = _LINES) -> Sequence[str]:
    """What a command said last on its own behalf, and what followed it; else its last lines that are not chatter."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [str(error)]
    found = [line[:300] for line in lines if line.strip() and not any(sign in line for sign in _CHATTER)]
    begin = max((at for at, line in enumerate(found) if _begins_complaint(found, at)), default=len(found) - most)
    return found[max(0, begin) :][:most] or ["(nothing)"]


def _begins_complaint(lines: Sequence[str], at: int) -> bool:
    return lines[at].startswith(_OWN) and not (at and lines[at - 1].startswith(_OWN))
