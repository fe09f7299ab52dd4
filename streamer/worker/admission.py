"""Admission: which tasks share the engine.

By cost (estimated speech tokens), not by count, in the order of arrival. A task costlier than the whole capacity goes
in alone. What failed in company is tried in halves, and then alone; suspects (see rounds) go in no larger company than
each of them may have. Both with nothing else in the engine or on its way from there to the store: audio that is being
encoded can be what takes the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from streamer.worker.task import Task


class Admission:
    def __init__(self, capacity: int, attempts: int) -> None:
        self._capacity = capacity
        self._limit = capacity  # lowered when the engine runs out of memory
        self._attempts = attempts
        self._ready: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._groups: deque[list[Task]] = deque()
        self._running: dict[Task, None] = {}
        self._keeping: dict[Task, None] = {}
        self._cost = 0
        self.exclusive = False
        """Nothing joins what was taken last."""

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def idle(self) -> bool:
        return not self._running and not self._keeping

    def under_way(self) -> Iterator[Task]:
        """From the engine to the durable verdict."""
        yield from self._running
        yield from self._keeping

    def add(self, task: Task) -> None:
        self._queue_of(task).append(task)

    def exhausted(self, task: Task) -> bool:
        """Its attempts are used up."""
        return task.attempts >= self._attempts

    def take(self, *, empty: bool = True) -> list[Task]:
        """What the engine takes now. `empty`: what was cancelled there is gone, too."""
        taken: list[Task] = []
        if self.exclusive and not self.idle:
            return taken
        if self._groups or self._suspects:
            if not self.idle or not empty:
                return taken
            return self._enter(self._groups.popleft() if self._groups else self._suspected(), exclusive=True)
        cost = self._cost
        while self._ready and (cost + self._ready[0].cost <= self._limit or cost == 0):
            cost += self._ready[0].cost
            taken.append(self._ready.popleft())
        return self._enter(taken, exclusive=False) if taken else taken

    def leave(self, task: Task) -> None:
        """It ended in the engine, and not for want of memory."""
        if self._remove(task):
            self._limit = min(self._capacity, self._limit + self._capacity // 100 + 1)

    def spoken(self, task: Task) -> None:
        """On its way to the store, until `kept`."""
        self.leave(task)
        self._keeping[task] = None

    def kept(self, task: Task) -> None:
        """Its speech is durable, or given up."""
        self._keeping.pop(task, None)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Their tenure is over. Speech that is on its way still is, until the pool is done with it."""
        gone = set(tasks)
        for task in gone:
            self._remove(task)
        self._ready = deque(task for task in self._ready if task not in gone)
        self._suspects = deque(task for task in self._suspects if task not in gone)
        groups = ([task for task in group if task not in gone] for group in self._groups)
        self._groups = deque(group for group in groups if group)

    def out_of_memory(self, tasks: list[Task]) -> list[Task]:
        """The engine had no memory for these. The ones whose attempts are used up; the rest is tried again.

        In company nobody is charged: half as much goes in from now on, until it was seen to go well.
        """
        if len(self._running) == 1:
            return [task for task in tasks if not self.failed(task)]
        self._limit = max(1, min(self._limit, self._cost) // 2)
        for task in reversed(tasks):
            self._remove(task)
            self._queue_of(task).appendleft(task)
        return []

    def failed(self, task: Task) -> bool:
        """It failed by itself. True: it will be tried again, alone; False: its attempts are used up."""
        self._remove(task)
        task.attempts += 1
        if self.exhausted(task):
            return False
        self._groups.append([task])
        return True

    def broken(self, tasks: list[Task], *, company: bool) -> list[Task]:
        """The engine failed as a whole with these in it. The ones whose attempts are used up; the rest is tried again.

        In company nobody knows whose fault it was: halves go in separately, and only who fails alone is charged.
        """
        for task in tasks:
            self._remove(task)
        if company:
            middle = len(tasks) // 2
            self._groups += [half for half in (tasks[:middle], tasks[middle:]) if half]
            return []
        return [task for task in tasks if not self.failed(task)]

    def _queue_of(self, task: Task) -> deque[Task]:
        return self._suspects if task.company else self._ready

    def _suspected(self) -> list[Task]:
        """The next suspects, as many as each of them may have beside it."""
        taken = [self._suspects.popleft()]
        company, cost = taken[0].company, taken[0].cost
        while self._suspects and cost + self._suspects[0].cost <= self._limit:
            company = min(company, self._suspects[0].company)
            if len(taken) >= company:
                break
            cost += self._suspects[0].cost
            taken.append(self._suspects.popleft())
        return taken

    def _remove(self, task: Task) -> bool:
        """Whether it was in the engine."""
        if task not in self._running:
            return False
        del self._running[task]
        self._cost -= task.cost
        return True

    def _enter(self, tasks: list[Task], *, exclusive: bool) -> list[Task]:
        self.exclusive = exclusive
        for task in tasks:
            self._running[task] = None
            self._cost += task.cost
        return tasks
