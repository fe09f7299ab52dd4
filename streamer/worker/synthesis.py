"""The engine on a thread of its own: it steps while it has something to say, and is spoken to in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamer.clock import Clock
from streamer.engines.base import Failure, Profile, Speech, Synthesizer, Ticket
from streamer.errors import EngineError, EngineGone
from streamer.worker.task import Task

_IDLE = 0.5
"""Seconds after which an idle engine thread looks up, should a wake-up have crossed its falling asleep."""
_OVERDUE = 0.1
"""Of a step's limit."""


class Broken(NamedTuple):
    """A step raised: all that was in the engine is lost, and nobody knows whose fault it was."""

    tasks: list[Task]
    message: str


class Spoken(NamedTuple):
    task: Task
    speech: Speech
    at: float
    """Epoch seconds."""


class NotSpoken(NamedTuple):
    task: Task
    failure: Failure


Heard = Spoken | NotSpoken | Broken


class EngineHost:
    """`submit`, `cancel` and `collect` are the loop's; `turn` is the engine's, on its thread."""

    def __init__(self, engine: Synthesizer, clock: Clock) -> None:
        self.profile: Profile = engine.profile
        self.step_seconds = 0.0
        """Spent in steps so far."""
        self.step_began: float | None = None
        """Monotonic seconds, while the engine is at work: for the watchdog."""
        self._engine = engine
        self._clock = clock
        self._inbox: deque[tuple[Task, bool]] = deque()  # True: speak it, False: cancel it
        self._outbox: deque[Heard] = deque()
        self._tasks: dict[Ticket, Task] = {}
        self.work = threading.Event()
        """Set when there is something new to take."""
        self.error: Exception | None = None
        """What ended the engine's thread, if anything did."""

    @property
    def empty(self) -> bool:
        """Nothing is in it any longer, cancelled or not, and no step is under way. Read from the loop's thread: the
        engine's takes from the inbox within a turn only, and lets go of tasks after its step."""
        return not self._inbox and self.step_began is None and not self._tasks

    @property
    def overdue(self) -> bool:
        """The step under way takes so long that it may never end."""
        began = self.step_began
        return began is not None and self._clock.monotonic() - began > _OVERDUE * self.profile.step_limit

    def submit(self, tasks: Sequence[Task]) -> None:
        self._inbox.extend((task, True) for task in tasks)
        self.work.set()

    def cancel(self, tasks: Sequence[Task]) -> None:
        """Nothing is heard of them after this, or else it belongs to a dead tenure."""
        self._inbox.extend((task, False) for task in tasks)
        self.work.set()

    def collect(self) -> list[Heard]:
        """What was heard since the last call; never waits. Errors: EngineError when the engine's thread is gone."""
        if self.error is not None:
            raise EngineError(f"the engine's thread ended: {self.error!r}") from self.error
        heard: list[Heard] = []
        while self._outbox:
            heard.append(self._outbox.popleft())
        return heard

    def turn(self) -> bool:
        """Take what was submitted and advance once. False when there is nothing to do. Errors: EngineGone."""
        if not self._inbox and not self._tasks:
            return False
        try:
            began = self.step_began = self._clock.monotonic()
            self._take()
            outcomes = self._engine.step() if self._tasks else []
            self.step_began = None
            self.step_seconds += self._clock.monotonic() - began
        except EngineGone:
            raise  # it would fail one record after the other
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is its records' failure, not the worker's
            self.step_began = None
            self._break(error)
            return True
        for outcome in outcomes:
            task = self._tasks.pop(outcome.ticket)
            if isinstance(outcome, Speech):
                self._outbox.append(Spoken(task, outcome, self._clock.now()))
            else:
                self._outbox.append(NotSpoken(task, outcome))
        return True

    def close(self) -> None:
        self._engine.close()

    def _take(self) -> None:
        while self._inbox:
            task, speak = self._inbox.popleft()
            if not speak:
                for ticket in [ticket for ticket, other in self._tasks.items() if other is task]:
                    del self._tasks[ticket]
                    self._engine.cancel(ticket)
            elif task.tenure.alive and task.utterance is not None:
                try:
                    self._tasks[self._engine.submit(task.utterance)] = task
                except Exception as error:  # noqa: BLE001 - see `turn`
                    self._outbox.append(Broken([task], f"{type(error).__name__}: {error}"))

    def _break(self, error: Exception) -> None:
        lost, self._tasks = self._tasks, {}
        for ticket in lost:
            self._engine.cancel(ticket)
        self._outbox.append(Broken(list(lost.values()), f"{type(error).__name__}: {error}"))


class EngineThread:
    """Opens an engine and turns it until it is told to stop, all on one thread: child processes die with theirs."""

    def __init__(self, open_engine: Callable[[], Synthesizer], clock: Clock) -> None:
        self._open, self._clock = open_engine, clock
        self._host: EngineHost | None = None
        self._error: Exception | None = None
        self._opened, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> EngineHost:
        """Wait for the engine. Errors: those of opening it."""
        self._thread.start()
        self._opened.wait()
        if self._error is not None:
            raise self._error
        if self._host is None:
            raise EngineError("the engine's thread ended before it had an engine")
        return self._host

    def close(self, timeout: float) -> None:
        """Stop after the step that is under way and close the engine; give up after `timeout`."""
        self._stop.set()
        if self._host is not None:
            self._host.work.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            host = self._host = EngineHost(self._open(), self._clock)
        except Exception as error:  # noqa: BLE001 - `start` raises it
            self._error = error
            return
        finally:
            self._opened.set()
        try:
            while not self._stop.is_set():
                if not host.turn():
                    host.work.wait(_IDLE)
                    host.work.clear()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the loop asks with `collect`
            host.error = error
        finally:
            host.close()
