"""The store's pool: look-ups and writes on threads, handed over in batches.

A hand-over between threads costs more than many a job, so jobs travel in chunks: one each while there are few,
more while there are many.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from streamer.clock import Clock
from streamer.store.verdicts import Verdict
from streamer.worker.task import Task


class Standing(NamedTuple):
    """What a look-up found: the verdict of the task's generation, and for a redrive the one that it follows."""

    verdict: Verdict | None
    previous: Verdict | None


Outcome = Standing | Verdict | Exception


class Job(NamedTuple):
    task: Task
    run: Callable[[Task], Outcome]


class Done(NamedTuple):
    job: Job
    outcome: Outcome


class Pool(Protocol):
    """Runs jobs in any order. What a job raises is its outcome."""

    def submit(self, jobs: Sequence[Job]) -> None: ...

    def collect(self) -> list[Done]:
        """What finished since the last call; never waits."""
        ...

    def close(self) -> None: ...


def run(job: Job) -> Done:
    try:
        return Done(job, job.run(job.task))
    except Exception as error:  # noqa: BLE001 - the loop decides: store errors are retried, others end the worker
        return Done(job, error)


class ThreadPool:
    """See Pool."""

    def __init__(self, threads: int, clock: Clock) -> None:
        self._clock = clock
        self._began: list[float | None] = [None] * threads
        self._inbox: SimpleQueue[Sequence[Job] | None] = SimpleQueue()
        self._outbox: deque[list[Done]] = deque()  # appends and pops are atomic
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"store-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        size = -(-len(jobs) // len(self._threads))
        for start in range(0, len(jobs), size or 1):
            self._inbox.put(jobs[start : start + size])

    def collect(self) -> list[Done]:
        done: list[Done] = []
        while self._outbox:
            done += self._outbox.popleft()
        return done

    def oldest(self) -> float | None:
        """When the job began that is under way for the longest time, in monotonic seconds: for the watchdog."""
        return min((began for began in self._began if began is not None), default=None)

    def close(self) -> None:
        """Let every thread end once what was submitted is done."""
        for _ in self._threads:
            self._inbox.put(None)

    def _work(self, number: int) -> None:
        while (jobs := self._inbox.get()) is not None:
            done = []
            for job in jobs:
                self._began[number] = self._clock.monotonic()
                done.append(run(job))
            self._began[number] = None
            self._outbox.append(done)
