"""The pipeline: a record's way from its receipt to a durable result.

    receive → look up the verdict → judge → render → admit → speak → audio, then verdict → judge again → settle

Everything here runs on the loop's thread and never waits; the pool and the engine's thread do the work in between.
What a task's dead tenure still had under way is dropped when it comes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from streamer.clock import Clock
from streamer.engines.base import Utterance
from streamer.errors import RequestFailed, StopWorker, StoreRejected, StoreUnavailable
from streamer.identity import Identity
from streamer.kafka.base import Record
from streamer.records import FailureCode
from streamer.store.verdicts import Completed, Verdict
from streamer.voices import Voices
from streamer.worker.admission import Admission
from streamer.worker.dead_letters import DeadLetters
from streamer.worker.journal import Journal
from streamer.worker.judge import Decision, follows, judge
from streamer.worker.keeper import Keeper
from streamer.worker.ledger import Settled
from streamer.worker.pool import Done, Job, Outcome, Pool, Standing
from streamer.worker.results import Results
from streamer.worker.synthesis import Broken, EngineHost, Heard, NotSpoken, Spoken
from streamer.worker.task import TEMPLATES_COME_LATER, Task, TaskReader
from streamer.worker.tenure import Tenure

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0

_DEPLOYED = {FailureCode.SYNTHESIS_FAILED}
"""What a bad deploy can do to good records: counts towards the dead-letter limit. A template_error will, too, once
events are rendered; until then it is the sender's doing."""


class Parts(NamedTuple):
    """What the pipeline is made of."""

    reader: TaskReader
    pool: Pool
    keeper: Keeper
    engine: EngineHost
    admission: Admission
    results: Results
    voices: Voices
    dead_letters: DeadLetters
    journal: Journal
    clock: Clock
    max_text: int


class Pipeline:
    """`load` is the cost of what was received and is not settled."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._holders: dict[Identity, Task] = {}  # ids in flight: one task each, the others wait
        self._waiting: dict[Identity, deque[Task]] = {}
        self._jobs: list[Job] = []  # for the pool, at the end of the turn
        self._delayed: list[Job] = []  # the store was unavailable
        self._delay = 0.0
        self._retry_at = 0.0
        self._now = 0  # milliseconds since the epoch, of this turn
        self._engine_seconds = 0.0  # of the engine's steps, as far as its metric knows
        self.load = 0
        self.tasks = 0

    @property
    def backing_off(self) -> bool:
        """The store is down: nothing new should be read."""
        return self._delay > 0

    @property
    def held_back(self) -> int:
        """How many tasks wait because their id is in flight: every other one holds its id."""
        return self.tasks - len(self._holders)

    def receive(self, tenure: Tenure, records: Sequence[Record]) -> None:
        """Take the records of one tenure that its ledger took."""
        tasks = [self._parts.reader.read(tenure, record) for record in records]
        for task in tasks:
            tenure.tasks[task.record.offset] = task
            self.load += task.cost
            holder = self._holders.setdefault(task.claim.identity, task)
            if holder is task:
                self._jobs.append(Job(task, self._parts.keeper.look_up))
            else:
                self._waiting.setdefault(task.claim.identity, deque()).append(task)
        self.tasks += len(tasks)
        self._journal.received(tasks)

    def turn(self) -> None:
        """Take what the pool and the engine finished, and give them what is next."""
        self._now = int(self._parts.clock.now() * 1000)
        for done in self._parts.pool.collect():
            self._done(done)
        self._hear(self._parts.engine.collect())
        spent = self._parts.engine.step_seconds
        self._journal.metrics.engine_seconds.inc(spent - self._engine_seconds)
        self._engine_seconds = spent
        if self._delayed and self._parts.clock.monotonic() >= self._retry_at:
            self._jobs += self._delayed
            self._delayed = []
        if self._jobs:
            self._parts.pool.submit(self._jobs)
            self._jobs = []
        taken = self._parts.admission.take()
        if taken:
            now = self._parts.clock.now()
            for task in taken:
                task.started_at = now
            self._parts.engine.submit(taken)
            self._journal.started(taken)

    def drop(self, tenure: Tenure) -> None:
        """The tenure is dead: forget its tasks. What is under way for them comes back to nobody."""
        tasks = list(tenure.tasks.values())
        self._parts.admission.forget(tasks)
        self._parts.engine.cancel(tasks)
        for task in tasks:
            self._leave(task)

    # What comes back

    def _done(self, done: Done) -> None:
        task, outcome = done.job.task, done.outcome
        if isinstance(outcome, StoreUnavailable):
            self._back_off(done.job, outcome)
            return
        self._delay = 0.0 if not self._delayed else self._delay
        if not task.tenure.alive:
            return
        if isinstance(outcome, StoreRejected):
            self._rejected(done.job, outcome)
        elif isinstance(outcome, RequestFailed):
            self._fail(task, FailureCode(outcome.code), outcome.message)
        elif isinstance(outcome, Exception):
            if not task.spoken_at or task.rejected:
                raise outcome
            task.rejected = True  # what was spoken cannot be encoded: its record fails, and no other one
            self._fail(task, FailureCode.SYNTHESIS_FAILED, f"{type(outcome).__name__}: {outcome}")
        elif isinstance(outcome, Standing):
            self._looked_up(task, outcome)
        else:
            self._journal.durable(task, "completed" if isinstance(outcome.state, Completed) else "failed")
            self._judge(task, outcome)

    def _looked_up(self, task: Task, standing: Standing) -> None:
        problem = task.generation_problem
        if not problem and task.claim.generation > 1 and (reason := follows(task.claim, standing.previous)):
            problem = f"header streamer-follows: {reason}"
        if problem:
            self._settle(task, self._parts.results.conflict(task, problem, self._now))
        else:
            self._judge(task, standing.verdict)

    def _judge(self, task: Task, verdict: Verdict | None) -> None:
        decision = judge(task.claim, verdict, self._now)
        if decision is Decision.WORK:
            self._work(task)
        elif decision is Decision.EXPIRED:
            self._fail(task, FailureCode.EXPIRED, f"expires_at {task.claim.expires_at} had passed before it was spoken")
        elif decision is Decision.DUPLICATE:
            self._settle(task, self._parts.results.duplicate(task))
        elif verdict is None:
            raise ValueError(f"{decision} without a verdict")
        elif decision is Decision.EMIT:
            self._settle(task, self._parts.results.of(task, verdict))
        else:
            message = (
                f"id: {task.claim.identity.id[:200]!r} was used for another request of its source (partition "
                f"{verdict.owner.partition}, offset {verdict.owner.offset}); send this one under a new id"
            )
            self._settle(task, self._parts.results.conflict(task, message, self._now))

    def _work(self, task: Task) -> None:
        """Nobody decided this id: render it and let the engine have it."""
        try:
            task.utterance = self._utterance(task)
        except RequestFailed as error:
            self._fail(task, FailureCode(error.code), error.message)
        else:
            self._parts.admission.add(task)

    def _utterance(self, task: Task) -> Utterance:
        if task.failure is not None:
            raise task.failure
        request = task.request
        if request is None or request.text is None:
            raise TEMPLATES_COME_LATER
        if len(request.text) > self._parts.max_text:
            raise RequestFailed(
                FailureCode.TEXT_TOO_LONG,
                f"text: {len(request.text)} characters, at most {self._parts.max_text} are spoken (engine.max_text)",
            )
        if request.prompt is not None:
            raise RequestFailed(FailureCode.VOICE_UNKNOWN, "prompt: this engine clones no voices; name one in voice")
        voice = self._parts.voices.get(request.voice)
        if voice is None:
            known = ", ".join(self._parts.voices.names)
            name = (request.voice or "")[:80]
            raise RequestFailed(FailureCode.VOICE_UNKNOWN, f"voice: no preset {name!r}; known: {known}")
        seed = int(task.claim.fingerprint[:8], 16) if request.seed is None else request.seed
        return Utterance(text=request.text, voice=voice, seed=seed, phoneme=request.phoneme)

    def _hear(self, heard: Sequence[Heard]) -> None:
        # First those that lacked memory, while the neighbours that they shared it with still count.
        squeezed = [one.task for one in heard if isinstance(one, NotSpoken) and one.failure.out_of_memory]
        squeezed = [task for task in squeezed if task.tenure.alive]
        for task in self._parts.admission.out_of_memory(squeezed) if squeezed else ():
            self._fail(task, FailureCode.SYNTHESIS_FAILED, "the engine has no memory for it, even alone")
        for one in heard:
            if isinstance(one, Broken):
                alive = [task for task in one.tasks if task.tenure.alive]
                for task in self._parts.admission.broken(alive, company=len(one.tasks) > 1):
                    self._fail(task, FailureCode.SYNTHESIS_FAILED, one.message)
            elif not one.task.tenure.alive:
                continue
            elif isinstance(one, Spoken):
                self._spoken(one)
            elif not one.failure.out_of_memory and not self._parts.admission.failed(one.task):
                self._fail(one.task, FailureCode.SYNTHESIS_FAILED, one.failure.message)

    def _spoken(self, spoken: Spoken) -> None:
        task, samples = spoken.task, spoken.speech.samples
        self._parts.admission.leave(task)
        self._parts.dead_letters.spoken()
        task.spoken_at = spoken.at
        self._journal.metrics.audio_seconds.inc(len(samples) / self._parts.engine.profile.sample_rate)
        self._keep(task, lambda task: self._parts.keeper.keep_speech(task, samples))

    def _fail(self, task: Task, code: FailureCode, message: str) -> None:
        if code in _DEPLOYED:
            self._parts.dead_letters.failed(message)
        self._keep(task, lambda task: self._parts.keeper.keep_failure(task, code, message))

    def _keep(self, task: Task, run: Callable[[Task], Outcome]) -> None:
        self._jobs.append(Job(task, run))

    def _back_off(self, job: Job, error: StoreUnavailable) -> None:
        if not job.task.tenure.alive and self._delayed:
            return  # nobody waits for it; kept only where it is the one that finds out when the store is back
        now = self._parts.clock.monotonic()
        if not self._delayed:
            self._delay = min(_LONGEST_DELAY, max(_FIRST_DELAY, self._delay * 2))
            self._retry_at = now + self._delay
            self._journal.log.warning("store unavailable, backing off", error=str(error), seconds=self._delay)
        self._delayed.append(job)
        self._journal.metrics.store_retries.inc()

    def _rejected(self, job: Job, error: StoreRejected) -> None:
        """The store will never take this object. Without a verdict there can be no result, so that one must stand."""
        task = job.task
        if task.spoken_at and not task.rejected:
            task.rejected = True
            self._fail(task, FailureCode.STORE_REJECTED, str(error))
        else:
            raise StopWorker(
                f"the verdict of {task.claim.identity.id[:200]!r}: {error}. Until that is mended its record can have "
                "no result, and its partition waits"
            ) from error

    # Ends

    def _settle(self, task: Task, settled: Settled) -> None:
        ledger = task.tenure.ledger
        if ledger is not None:
            ledger.settle(task.record.offset, settled)
        self._leave(task)

    def _leave(self, task: Task) -> None:
        """The task is over here: the next one with its id may go on."""
        if task.tenure.tasks.pop(task.record.offset, None) is None:
            return
        self.load -= task.cost
        self.tasks -= 1
        identity = task.claim.identity
        if self._holders.get(identity) is not task:
            return
        del self._holders[identity]
        waiting = self._waiting.pop(identity, None)
        while waiting:
            follower = waiting.popleft()
            if follower.tenure.alive:
                self._holders[identity] = follower
                if waiting:
                    self._waiting[identity] = waiting
                self._jobs.append(Job(follower, self._parts.keeper.look_up))
                return
