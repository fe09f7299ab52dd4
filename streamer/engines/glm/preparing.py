"""Texts cut and voices encoded, before the first token: beside the thread that feeds the device, or in its steps.

Of some texts the costly part takes half a minute. It is done in short parts, by turns with other texts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from streamer.engines.base import Failure, Ticket
from streamer.engines.glm.pieces import Job

_WAIT = 0.01
"""Seconds that who has nothing else to do waits for the next text."""


class Ready(NamedTuple):
    job: Job
    failure: Failure | None
    """Why it cannot be spoken."""


class Preparing:
    """`add`, `drop` and `take` from one thread. Where it works `aside`, on a thread of its own; else within `take`."""

    def __init__(
        self,
        begin: Callable[[str], Iterator[None]],
        finish: Callable[[Job], Failure | None],
        fault: Callable[[Job, Exception], Failure],
        *,
        aside: bool,
        thread_begins: Callable[[], None] = lambda: None,
    ) -> None:
        """`begin`: what is to be done for a text, in short parts. `finish`: the rest of its job. `fault`: what an error
        of either is to the job. `thread_begins`: called on the thread of its own."""
        self._begin, self._finish, self._fault = begin, finish, fault
        self._thread_begins = thread_begins
        self._waiting: dict[Ticket, Job] = {}
        self._under_way: Ticket | None = None
        self._made: deque[Ready] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="texts", daemon=True) if aside else None
        if self._thread is not None:
            self._thread.start()

    def add(self, job: Job) -> None:
        with self._changed:
            self._waiting[job.ticket] = job
            self._changed.notify_all()

    def drop(self, ticket: Ticket) -> None:
        """Nothing is made of it any more."""
        with self._changed:
            self._waiting.pop(ticket, None)
            if self._under_way == ticket:
                self._under_way = None
            self._made = deque(made for made in self._made if made.job.ticket != ticket)

    def forget(self) -> None:
        """Drop all."""
        with self._changed:
            self._waiting.clear()
            self._under_way = None
            self._made.clear()

    def take(self, *, idle: bool) -> list[Ready]:
        """Those that became ready. `idle`: nothing else is to be done, so that it may wait a moment for one."""
        if self._thread is None:
            self._turn()
        with self._changed:
            if idle and self._thread is not None and (self._waiting or self._under_way is not None):
                self._changed.wait_for(lambda: self._made, _WAIT)
            made, self._made = self._made, deque()
        return list(made)

    def close(self) -> None:
        """End the thread, after the part that is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        self._thread_begins()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
            self._turn()

    def _turn(self) -> None:
        """One part of the next job, which then goes behind the others."""
        with self._changed:
            if not self._waiting:
                return
            ticket, job = next(iter(self._waiting.items()))
            del self._waiting[ticket]
            self._under_way = ticket
        try:
            if job.preparing is None:
                job.preparing = self._begin(job.utterance.text)
            done = next(job.preparing, self) is self
            failure = self._finish(job) if done else None
        except Exception as error:  # noqa: BLE001 - of this text or voice; nobody else's
            done, failure = True, self._fault(job, error)
        with self._changed:
            if self._under_way != ticket:
                return
            self._under_way = None
            if done:
                self._made.append(Ready(job, failure))
                self._changed.notify_all()
            else:
                self._waiting[ticket] = job
