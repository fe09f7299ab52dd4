"""The supervisor: one worker process a slot, restarted when it dies, unless a person must look first.

librdkafka has been seen to crash natively while brokers are killed: every worker runs under one. Children die with it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence

from streamer.clock import Clock
from streamer.errors import EXIT_DONE, EXIT_FAILED, EXIT_FENCED, EXIT_NEVER_RESTART
from streamer.observe.logs import Log

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_STEADY = 60.0
"""Seconds after which a process counts as well: its next restart is quick again, and an earlier fencing forgotten."""
_READY = "ready"

Start = Callable[[int, bool], "subprocess.Popen[str]"]
"""Starts the process of a slot, and again after it was ready once; on its standard output, a pipe, it says `ready`."""


class Slot:
    """One place for a worker process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()
        self.started = 0.0
        self.pause = _FIRST_PAUSE
        self.restart_at: float | None = None
        self.fenced_at: float | None = None
        self.done = False


class Supervisor:
    """`run` returns the exit code: 0 when all processes drained, 2 when one must not be restarted, else 1."""

    def __init__(self, start: Start, slots: int, clock: Clock, log: Log, *, drain_timeout: float) -> None:
        self._start, self._clock, self._log = start, clock, log
        self._drain_timeout = drain_timeout
        self._slots = [Slot(number) for number in range(slots)]
        self._stopping = False
        self._exit = EXIT_DONE

    def stop(self) -> None:
        """Asked to end: to be called from a signal handler."""
        self._stopping = True

    def run(self, ready: Callable[[], None]) -> int:
        """`ready` is called once, when every slot's process has said so."""
        said = False
        for slot in self._slots:
            self._launch(slot)
        while not self._stopping:
            for slot in self._slots:
                self._look_after(slot)
            if not said and all(slot.ready.is_set() for slot in self._slots):
                said = True
                ready()
            self._clock.sleep(0.05)
        self._end()
        return self._exit

    def _launch(self, slot: Slot) -> None:
        slot.restart_at, slot.started = None, self._clock.monotonic()
        slot.process = process = self._start(slot.number, slot.ready.is_set())
        threading.Thread(target=self._listen, args=(slot, process), daemon=True).start()

    def _look_after(self, slot: Slot) -> None:
        now = self._clock.monotonic()
        if slot.restart_at is not None:
            if now >= slot.restart_at:
                self._launch(slot)
            return
        code = slot.process.poll() if slot.process else None
        if code is None:
            return
        if now - slot.started > _STEADY:
            slot.pause = _FIRST_PAUSE
        if code == EXIT_FENCED and slot.fenced_at is not None and now - slot.fenced_at < _STEADY:
            self._log.error(
                "fenced twice within a minute: another process runs under the same instance name; give each worker its "
                "own --instance (or transactions outlast kafka.transaction_timeout: look at the broker)",
                slot=slot.number,
            )
            code = EXIT_NEVER_RESTART
        if code == EXIT_FENCED:
            slot.fenced_at = now
        if code == EXIT_NEVER_RESTART:
            self._log.error("a worker ended that must not be restarted", slot=slot.number)
            self._exit, self._stopping = EXIT_NEVER_RESTART, True
            return
        self._log.warning("a worker died, restarting", slot=slot.number, exit_code=code, seconds=slot.pause)
        slot.restart_at = now + slot.pause
        slot.pause = min(_LONGEST_PAUSE, slot.pause * 2)

    def _end(self) -> None:
        """SIGTERM to all, and SIGKILL to who has not drained within the bound.

        Some may have drained already: Ctrl-C reaches the whole process group.
        """
        deadline = self._clock.monotonic() + self._drain_timeout
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.terminate()
        for slot in self._slots:
            code = self._ended(slot, deadline)
            if code == EXIT_NEVER_RESTART:
                self._exit = code
            elif code != EXIT_DONE and self._exit == EXIT_DONE:
                self._exit = EXIT_FAILED

    def _ended(self, slot: Slot, deadline: float) -> int:
        """The exit code of the slot's process, killed at the deadline; of one that had died, and drained nothing, 1."""
        process = slot.process
        if process is None or slot.restart_at is not None:
            return EXIT_FAILED
        try:
            return process.wait(max(0.1, deadline - self._clock.monotonic()))
        except subprocess.TimeoutExpired:
            self._log.error("a worker did not drain in time, killing it", pid=process.pid)
            process.kill()
            return process.wait()

    @staticmethod
    def _listen(slot: Slot, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if line.strip() == _READY:
                slot.ready.set()


def arguments(base: Sequence[str], instance: str, slot: int, slots: int) -> list[str]:
    """The command line of one slot's process."""
    name = instance if slots == 1 else f"{instance}-{slot}"
    return [*base, "--process", str(slot), "--instance", name]
