"""What a worker does with the records it reads: speak requests for the first time (`service`), or make audio again
(`replay`).

The pipeline asks its duty at each turning of a record's way, and neither knows the other's reasons.
"""

from __future__ import annotations

from typing import Protocol

from streamer.engines.base import Samples
from streamer.errors import RequestFailed
from streamer.records import FailureCode
from streamer.worker.ledger import Settled
from streamer.worker.pool import Outcome
from streamer.worker.task import Task

Judgement = Settled | RequestFailed | None
"""How the record ends; or that it fails, which is to be kept first; or None: it is to be spoken."""


class Duty(Protocol):
    """`judge` runs on the loop's thread and waits for nothing; the others run in the pool, with the store's errors."""

    def look_up(self, task: Task) -> Outcome:
        """What stands in the store about it."""
        ...

    def keep_speech(self, task: Task, samples: Samples) -> Outcome:
        """Verify and keep it. A Flaw where it does not count."""
        ...

    def keep_failure(self, task: Task, code: FailureCode, message: str) -> Outcome:
        """Its attempt ended without speech."""
        ...

    def judge(self, task: Task, found: Outcome, now: int) -> Judgement:
        """What follows from what one of the others returned; `now` in milliseconds since the epoch."""
        ...

    def computing(self, samples: Samples) -> float:
        """Seconds that `keep_speech` may compute before it counts as stuck."""
        ...
