"""Ids in flight: one task each; the others of the same id wait, so that nothing is synthesized twice at a time."""

from __future__ import annotations

from collections import deque

from streamer.identity import Identity
from streamer.worker.task import Task


class InFlight:
    def __init__(self) -> None:
        self._holders: dict[Identity, Task] = {}
        self._waiting: dict[Identity, deque[Task]] = {}

    def __len__(self) -> int:
        """How many ids."""
        return len(self._holders)

    def enter(self, task: Task) -> bool:
        """True: it holds its id and may go on. False: it waits for whoever does."""
        identity = task.claim.identity
        if self._holders.setdefault(identity, task) is task:
            return True
        self._waiting.setdefault(identity, deque()).append(task)
        return False

    def leave(self, task: Task) -> Task | None:
        """It is over. The next one with its id, of a tenure that lives; that one holds the id now."""
        identity = task.claim.identity
        if self._holders.get(identity) is not task:
            return None
        del self._holders[identity]
        waiting = self._waiting.pop(identity, None)
        while waiting:
            follower = waiting.popleft()
            if follower.tenure.alive:
                self._holders[identity] = follower
                if waiting:
                    self._waiting[identity] = waiting
                return follower
        return None
