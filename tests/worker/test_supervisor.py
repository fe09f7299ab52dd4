"""Real child processes: small programs that say `ready`, and leave as they are told."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from streamer.clock import SystemClock
from streamer.observe.logs import logger
from streamer.worker.supervisor import Supervisor, arguments

LIVES = "import signal, sys; signal.signal(15, lambda *_: sys.exit({code})); print('ready', flush=True); signal.pause()"
DRAINS = LIVES.format(code=0)
IGNORES = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True)\nwhile True: signal.pause()"
_PATIENCE = 30.0


def leaves(code: int) -> str:
    return f"print('ready', flush=True); raise SystemExit({code})"


class Children:
    """Starts the programs of each slot one after the other, the last one again and again."""

    def __init__(self) -> None:
        self.programs: dict[int, list[str]] = {}
        self.started: list[tuple[int, float]] = []
        self.processes: list[subprocess.Popen[str]] = []
        self._clock = SystemClock()

    def __call__(self, slot: int, again: bool) -> subprocess.Popen[str]:
        programs = self.programs[slot]
        program = programs.pop(0) if len(programs) > 1 else programs[0]
        self.started.append((slot, self._clock.monotonic()))
        command = [sys.executable, "-S", "-E", "-c", program]
        self.processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return self.processes[-1]

    def count(self, slot: int = 0) -> int:
        return sum(one == slot for one, _ in self.started)


class Supervised:
    """A supervisor on a thread of its own, as it is the main thread that signals reach."""

    def __init__(self, children: Children) -> None:
        self.children = children
        self.ready = threading.Event()
        self.readies = 0
        self.code: int | None = None
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None

    def start(self, *programs: list[str], drain_timeout: float = 20.0) -> None:
        self.children.programs = dict(enumerate(programs))
        self._supervisor = Supervisor(
            self.children, len(programs), SystemClock(), logger("error"), drain_timeout=drain_timeout
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        if self._supervisor is not None:
            self.code = self._supervisor.run(self._say)

    def _say(self) -> None:
        self.readies += 1
        self.ready.set()

    def until(self, condition: Callable[[], bool]) -> None:
        ticks = threading.Event()
        for _ in range(int(_PATIENCE / 0.01)):
            if condition():
                return
            ticks.wait(0.01)
        raise AssertionError("not in time")

    def stop(self) -> int | None:
        if self._supervisor is not None:
            self._supervisor.stop()
        return self.end()

    def end(self) -> int | None:
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        return self.code


@pytest.fixture
def supervised() -> Iterator[Supervised]:
    made = Supervised(Children())
    yield made
    made.stop()
    for process in made.children.processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_ready_once_all_are_and_stopped_all_drain(supervised: Supervised) -> None:
    supervised.start([DRAINS], [DRAINS])
    assert supervised.ready.wait(_PATIENCE)
    assert supervised.stop() == 0
    assert supervised.readies == 1
    assert [process.returncode for process in supervised.children.processes] == [0, 0]


@pytest.mark.parametrize("code", [1, 3, 70])
def test_a_process_that_died_is_started_again(supervised: Supervised, code: int) -> None:
    supervised.start([leaves(code), DRAINS], [DRAINS])
    supervised.until(lambda: supervised.children.count() == 2)
    assert supervised.children.count(1) == 1
    assert supervised.ready.wait(_PATIENCE)
    assert supervised.readies == 1


def test_a_process_that_was_killed_is_started_again(supervised: Supervised) -> None:
    supervised.start([DRAINS])
    assert supervised.ready.wait(_PATIENCE)
    supervised.children.processes[0].kill()
    supervised.until(lambda: supervised.children.count() == 2)


def test_restarts_back_off(supervised: Supervised) -> None:
    supervised.start([leaves(1)])
    supervised.until(lambda: supervised.children.count() == 4)
    at = [when for _, when in supervised.children.started]
    pauses = [after - before for before, after in pairwise(at)]
    assert all(pause >= least for pause, least in zip(pauses, [0.2, 0.4, 0.8], strict=True))


def test_who_must_not_be_restarted_ends_all(supervised: Supervised) -> None:
    supervised.start([DRAINS], [leaves(2)])
    assert supervised.end() == 2
    assert supervised.children.count(1) == 1
    assert supervised.children.processes[0].returncode in (0, -15)  # asked, perhaps before it listened


def test_fenced_once_is_restarted_twice_within_a_minute_is_not(supervised: Supervised) -> None:
    supervised.start([leaves(3)])
    assert supervised.end() == 2
    assert supervised.children.count() == 2


def test_who_does_not_drain_is_killed(supervised: Supervised) -> None:
    supervised.start([IGNORES], drain_timeout=0.3)
    assert supervised.ready.wait(_PATIENCE)
    assert supervised.stop() == 1
    assert supervised.children.processes[0].returncode == -9


def test_a_drain_that_failed_is_no_success(supervised: Supervised) -> None:
    supervised.start([LIVES.format(code=1)], [DRAINS])
    assert supervised.ready.wait(_PATIENCE)
    assert supervised.stop() == 1


def test_who_must_not_be_restarted_says_so_in_a_drain_too(supervised: Supervised) -> None:
    supervised.start([LIVES.format(code=2)])
    assert supervised.ready.wait(_PATIENCE)
    assert supervised.stop() == 2


def test_stopped_between_death_and_restart_is_no_success(supervised: Supervised) -> None:
    supervised.start([leaves(1)])
    supervised.until(lambda: supervised.children.count() == 4)  # the next pause is 1.6 s
    supervised.until(lambda: len(supervised.children.processes) == 4)  # counted just before it is there
    supervised.until(lambda: supervised.children.processes[3].poll() is not None)
    assert supervised.stop() == 1


def test_each_slot_has_an_instance_name_of_its_own() -> None:
    assert arguments(["streamer", "worker"], "host", 0, 1) == [
        "streamer",
        "worker",
        "--process",
        "0",
        "--instance",
        "host",
    ]
    assert arguments(["x"], "host", 1, 2) == ["x", "--process", "1", "--instance", "host-1"]


class InterruptedClock(SystemClock):
    """Once all said that they are ready, all are interrupted while the supervisor sleeps, as by Ctrl-C."""

    def __init__(self, children: Children) -> None:
        self.children = children
        self.ready = False
        self.stop: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        if not self.ready:
            super().sleep(0.01)
            return
        for process in self.children.processes:
            process.terminate()
            process.wait(_PATIENCE)
        self.stop()


@pytest.mark.parametrize("code", [0, 1, 2])
def test_who_ended_before_it_was_asked_counts_by_its_exit_code(supervised: Supervised, code: int) -> None:
    children = supervised.children
    children.programs = {0: [LIVES.format(code=code)]}
    clock = InterruptedClock(children)
    supervisor = Supervisor(children, 1, clock, logger("error"), drain_timeout=20)
    clock.stop = supervisor.stop
    assert supervisor.run(lambda: setattr(clock, "ready", True)) == code
