"""The pool: what asks the store, or the Schema Registry, on threads, handed over in batches.

A hand-over between threads costs more than many a job, so jobs travel in chunks: one each while there are few,
more while there are many.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Literal, NamedTuple, Protocol, get_args

import msgspec
from prometheus_client import Histogram

from streamer.clock import Clock
from streamer.errors import RequestFailed
from streamer.store.attempts import Note
from streamer.store.verdicts import Verdict
from streamer.voices import Voice
from streamer.worker.task import Task
from streamer.worker.tenure import Tenure
from streamer.worker.verify import Flaw

Operation = Literal[
    "look_up",
    "read_prompt",
    "read_file",
    "keep_speech",
    "keep_failure",
    "load_schema",
    "read_attempts",
    "note_attempts",
    "clear_attempts",
]
"""read_prompt asks the store for a request's prompt, read_file a folder, whatever the store does meanwhile."""


class Standing(NamedTuple):
    """What a look-up found: the verdict of the task's generation, and for a redrive the one that it follows."""

    verdict: Verdict | None
    previous: Verdict | None
    lacks_audio: bool = False
    """The verdict is the task's own, and the file that it names is gone."""


class Found(msgspec.Struct, frozen=True):
    """What another duty than the ordinary one found out, for its own judgement."""


Outcome = Standing | Verdict | Found | Voice | Flaw | Note | Exception | None
"""A Voice: of the request's prompt. A Flaw: the speech does not count, and nothing was written. None: a schema is here,
or a note was written."""


class Job(NamedTuple):
    task: Task
    operation: Operation
    run: Callable[[Task], Outcome]
    computing: float = 0.0
    """Seconds that it may compute before it counts as stuck: MP3 and Opus take a minute for two hours of speech."""

    @property
    def tenure(self) -> Tenure:
        return self.task.tenure

    def call(self) -> Outcome:
        return self.run(self.task)


class Loading(NamedTuple):
    """A schema to be asked of the registry."""

    schema_id: int
    load: Callable[[int], None]

    @property
    def operation(self) -> Operation:
        return "load_schema"

    @property
    def computing(self) -> float:
        return 0.0

    def call(self) -> Outcome:
        self.load(self.schema_id)
        return None


class Noting(NamedTuple):
    """Something about the attempts of a tenure's partition."""

    tenure: Tenure
    operation: Operation
    call: Callable[[], Outcome]
    computing: float = 0.0


Work = Job | Loading | Noting


class Done(NamedTuple):
    job: Work
    outcome: Outcome

    @property
    def by_store(self) -> bool:
        """Whether the store said that."""
        operation = self.job.operation
        if operation in ("read_file", "load_schema"):
            return False
        # What a prompt is refused for the store said; what speech is refused for nobody asked it yet.
        return operation == "read_prompt" or not isinstance(self.outcome, Flaw | RequestFailed)


class Pool(Protocol):
    """Runs jobs in any order. What a job raises is its outcome."""

    def submit(self, jobs: Sequence[Work]) -> None: ...

    def collect(self) -> list[Done]:
        """What finished since the last call; never waits."""
        ...

    def close(self) -> None: ...


def run(job: Work) -> Done:
    try:
        return Done(job, job.call())
    except Exception as error:  # noqa: BLE001 - the loop decides: store errors are retried, others end the worker
        return Done(job, error)


class ThreadPool:
    """See Pool."""

    def __init__(self, threads: int, clock: Clock, seconds: Histogram | None = None) -> None:
        """`seconds` is told how long each operation took."""
        self._clock = clock
        self._seconds = {name: seconds.labels(name) for name in get_args(Operation)} if seconds else {}
        self._began: list[float | None] = [None] * threads
        self._inbox: SimpleQueue[Sequence[Work] | None] = SimpleQueue()
        self._outbox: deque[list[Done]] = deque()  # appends and pops are atomic
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"store-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Sequence[Work]) -> None:
        size = -(-len(jobs) // len(self._threads))
        for start in range(0, len(jobs), size or 1):
            self._inbox.put(jobs[start : start + size])

    def collect(self) -> list[Done]:
        done: list[Done] = []
        while self._outbox:
            done += self._outbox.popleft()
        return done

    def oldest(self) -> float | None:
        """When the job began that is under way for the longest time, its computing left out, in monotonic seconds: for
        the watchdog. May lie ahead."""
        return min((began for began in self._began if began is not None), default=None)

    def close(self, timeout: float = 0.0) -> None:
        """Let every thread end once what was submitted is done, and wait for that up to `timeout` seconds."""
        for _ in self._threads:
            self._inbox.put(None)
        deadline = self._clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))

    def _work(self, number: int) -> None:
        while (jobs := self._inbox.get()) is not None:
            done = []
            for job in jobs:
                began = self._clock.monotonic()
                self._began[number] = began + job.computing
                done.append(run(job))
                if self._seconds:
                    self._seconds[job.operation].observe(self._clock.monotonic() - began)
            self._began[number] = None
            self._outbox.append(done)
