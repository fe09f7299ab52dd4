"""What tasks ask of the store, on its way to the pool; while the store is unavailable it waits here, and nothing is
dropped."""

from __future__ import annotations

from streamer.clock import Clock
from streamer.engines.base import Samples
from streamer.errors import StoreUnavailable
from streamer.records import FailureCode, Prompt
from streamer.worker.backoff import Backoff
from streamer.worker.duty import Duty
from streamer.worker.journal import Journal
from streamer.worker.pool import Job, Noting, Operation
from streamer.worker.prompts import Prompts
from streamer.worker.task import Task


class StoreWork:
    def __init__(self, duty: Duty, clock: Clock, journal: Journal) -> None:
        self._duty, self._journal = duty, journal
        self._new: list[Job | Noting] = []
        self._notes: list[Noting] = []
        self._backoff: Backoff[Job | Noting] = Backoff(clock)

    @property
    def backing_off(self) -> bool:
        """The store is down: nothing new should be read."""
        return self._backoff.active

    def look_up(self, task: Task) -> None:
        self._new.append(Job(task, "look_up", self._duty.look_up))

    def read_prompt(self, task: Task, prompt: Prompt, prompts: Prompts) -> None:
        """Where it is no matter of the store, too: folders may be slow as well."""
        operation: Operation = "read_prompt" if prompts.in_store(prompt) else "read_file"
        self._new.append(Job(task, operation, lambda _: prompts.voice(prompt)))

    def keep_speech(self, task: Task, samples: Samples) -> None:
        """Verify them first: what is no speech is not kept."""
        job = Job(task, "keep_speech", lambda task: self._duty.keep_speech(task, samples))
        self._new.append(job._replace(computing=self._duty.computing(samples)))

    def keep_failure(self, task: Task, code: FailureCode, message: str) -> None:
        self._new.append(Job(task, "keep_failure", lambda task: self._duty.keep_failure(task, code, message)))

    def note(self, noting: Noting) -> None:
        self._notes.append(noting)

    def notes(self) -> list[Noting]:
        """For the pool, now, and before all other jobs: the engine waits for them."""
        notes, self._notes = self._notes, []
        return notes

    def jobs(self) -> list[Job | Noting]:
        """For the pool, now."""
        jobs = [*self._new, *self._backoff.due()]
        self._new = []
        return jobs

    def answered(self) -> None:
        """The store is there."""
        self._backoff.went_well()

    def unavailable(self, job: Job | Noting, error: StoreUnavailable) -> None:
        """Try it again later."""
        if not job.tenure.alive and self._backoff.waiting:
            return  # nobody waits for it; kept only where it is the one that finds out when the store is back
        if seconds := self._backoff.wait(job):
            self._journal.log.warning("store unavailable, backing off", error=str(error), seconds=seconds)
        self._journal.metrics.store_retries.inc()
