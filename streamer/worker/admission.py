"""Admission: which tasks share the engine.

By cost (estimated speech tokens), not by count, in the order of arrival. A task costlier than the whole capacity goes
in alone. What failed in company is tried in halves, and then alone, with nothing else in the engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streamer.worker.task import Task


class Admission:
    def __init__(self, capacity: int, attempts: int) -> None:
        self._capacity = capacity
        self._limit = capacity  # lowered when the engine runs out of memory
        self._attempts = attempts
        self._ready: deque[Task] = deque()
        self._groups: deque[list[Task]] = deque()
        self._running: dict[Task, None] = {}
        self._cost = 0
        self._exclusive = False

    @property
    def running(self) -> int:
        return len(self._running)

    def add(self, task: Task) -> None:
        self._ready.append(task)

    def take(self) -> list[Task]:
        """What the engine takes now."""
        if self._groups:
            return [] if self._running else self._enter(self._groups.popleft(), exclusive=True)
        taken: list[Task] = []
        if self._exclusive and self._running:
            return taken
        cost = self._cost
        while self._ready and (cost + self._ready[0].cost <= self._limit or cost == 0):
            cost += self._ready[0].cost
            taken.append(self._ready.popleft())
        return self._enter(taken, exclusive=False) if taken else taken

    def leave(self, task: Task) -> None:
        """It was spoken, or it is not wanted any longer, wherever it stands."""
        if self._remove(task):
            self._limit = min(self._capacity, self._limit + self._capacity // 100 + 1)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Their tenure is over."""
        gone = set(tasks)
        for task in gone:
            self._remove(task)
        self._ready = deque(task for task in self._ready if task not in gone)
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
            self._ready.appendleft(task)
        return []

    def failed(self, task: Task) -> bool:
        """It failed by itself. True: it will be tried again, alone; False: its attempts are used up."""
        self._remove(task)
        task.attempts += 1
        if task.attempts >= self._attempts:
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

    def _remove(self, task: Task) -> bool:
        """Whether it was in the engine."""
        if task not in self._running:
            return False
        del self._running[task]
        self._cost -= task.cost
        return True

    def _enter(self, tasks: list[Task], *, exclusive: bool) -> list[Task]:
        self._exclusive = exclusive
        for task in tasks:
            self._running[task] = None
            self._cost += task.cost
        return tasks
