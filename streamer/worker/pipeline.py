"""The pipeline: a record's way from its receipt to a durable result.

    receive → look up the verdict → judge → render → read its prompt → admit → note → speak → verify → audio, then
    verdict → judge again → settle

Everything here runs on the loop's thread and never waits; the pool and the engine's thread do the work in between.
What a task's dead tenure still had under way is dropped when it comes back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamer.errors import (
    RegistryUnavailable,
    RequestFailed,
    SchemaNotLoaded,
    StopWorker,
    StoreRejected,
    StoreUnavailable,
)
from streamer.kafka.base import Record
from streamer.records import FailureCode
from streamer.voices import Voice
from streamer.worker.in_flight import InFlight
from streamer.worker.ledger import Settled
from streamer.worker.parts import Parts
from streamer.worker.pool import Done, Job, Loading, Noting, Outcome
from streamer.worker.rounds import Rounds
from streamer.worker.store_work import StoreWork
from streamer.worker.synthesis import Broken, Heard, NotSpoken, Spoken
from streamer.worker.task import Task, cost
from streamer.worker.tenure import Tenure
from streamer.worker.unread import Unread
from streamer.worker.verify import Flaw, next_try, rejection

_DEPLOYED = {FailureCode.SYNTHESIS_FAILED, FailureCode.SPEECH_REJECTED}
"""What a bad deploy can do to good records: counts towards the dead-letter limit, as does a template_error where the
template is in doubt. An event that is not wanted is none of it: its rule says so."""


class Pipeline:
    """See above."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._in_flight = InFlight()
        self._unread = Unread(parts.load_schema, parts.clock, parts.journal)
        self._store = StoreWork(parts.duty, parts.clock, parts.journal)
        self._rounds = Rounds(parts.attempts, parts.admission, parts.engine, self._store, parts.clock, parts.journal)
        self._now = 0  # milliseconds since the epoch, of this turn
        self._engine_seconds = 0.0  # of the engine's steps, as far as its metric knows
        self._load = 0
        self._tasks = 0

    @property
    def load(self) -> int:
        """The cost of what was received and is not settled."""
        return self._load + self._unread.cost

    @property
    def tasks(self) -> int:
        """How many were received and are not settled."""
        return self._tasks + self._unread.count

    @property
    def backing_off(self) -> bool:
        """The store is down: nothing new should be read."""
        return self._store.backing_off

    @property
    def held_back(self) -> int:
        """How many tasks wait because their id is in flight: every other one holds its id."""
        return self._tasks - len(self._in_flight)

    def awaits_schema(self, tenure: Tenure) -> bool:
        """Some of its records cannot be read yet: nothing behind them should be."""
        return self._unread.holds(tenure)

    def receive(self, tenure: Tenure, records: Sequence[Record]) -> None:
        """Take the records of one tenure that its ledger took."""
        tasks: list[Task] = []
        for record in records:
            try:
                tasks.append(self._parts.reader.read(tenure, record))
            except SchemaNotLoaded as missing:
                self._unread.hold(missing.schema_id, tenure, record)
        for task in tasks:
            tenure.tasks[task.record.offset] = task
            self._load += task.cost
            if self._in_flight.enter(task):
                self._store.look_up(task)
        self._tasks += len(tasks)
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
        self._rounds.turn()
        # Apart from each other: what travels in one chunk comes back together.
        for jobs in (self._store.notes(), [*self._store.jobs(), *self._unread.jobs()]):
            if jobs:
                self._parts.pool.submit(jobs)

    def drop(self, tenure: Tenure) -> None:
        """The tenure is dead: forget its tasks. What is under way for them comes back to nobody."""
        tasks = list(tenure.tasks.values())
        self._unread.drop(tenure)
        self._parts.pool.submit(self._rounds.drop(tenure))  # now: there may be no further turn
        self._parts.admission.forget(tasks)
        self._parts.engine.cancel(tasks)
        for task in tasks:
            self._leave(task)

    # What comes back

    def _done(self, done: Done) -> None:
        job, outcome = done
        if isinstance(job, Loading):
            self._loaded(job, outcome)
            return
        if isinstance(job, Job) and not (isinstance(outcome, StoreUnavailable) and job.tenure.alive):
            self._parts.admission.kept(job.task)
        if isinstance(outcome, StoreUnavailable):
            self._store.unavailable(job, outcome)
            return
        if done.by_store:
            self._store.answered()
        if isinstance(job, Noting):
            self._noted(job, outcome)
        elif job.tenure.alive:
            self._asked(job.task, outcome)

    def _noted(self, noting: Noting, outcome: Outcome) -> None:
        if isinstance(outcome, Exception) and not isinstance(outcome, StoreRejected):
            raise outcome
        for task in self._rounds.done(noting, outcome):
            self._admit(task)

    def _asked(self, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Flaw):
            self._flawed(task, outcome)
        elif isinstance(outcome, Voice):
            self._voiced(task, outcome)
        elif isinstance(outcome, StoreRejected):
            self._rejected(task, outcome)
        elif isinstance(outcome, RequestFailed):
            self._fail(task, FailureCode(outcome.code), outcome.message)
        elif isinstance(outcome, Exception):
            if not task.spoken_at or task.rejected:
                raise outcome
            task.rejected = True  # what was spoken cannot be encoded: its record fails, and no other one
            self._fail(task, FailureCode.SYNTHESIS_FAILED, f"{type(outcome).__name__}: {outcome}")
        else:
            self._judge(task, outcome)

    def _loaded(self, loading: Loading, outcome: Outcome) -> None:
        """The records that waited for the schema are received again, those of dead tenures excepted: they are gone."""
        if isinstance(outcome, RegistryUnavailable):
            self._unread.unavailable(loading, outcome)
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            for tenure, records in self._unread.loaded(loading.schema_id).items():
                self.receive(tenure, records)

    def _judge(self, task: Task, found: Outcome) -> None:
        judgement = self._parts.duty.judge(task, found, self._now)
        if judgement is None:
            self._work(task)
        elif isinstance(judgement, RequestFailed):
            self._fail(task, FailureCode(judgement.code), judgement.message)
        else:
            self._settle(task, judgement)

    def _work(self, task: Task) -> None:
        """Nobody decided this id: render it and let the engine have it."""
        try:
            if task.failure is not None or task.request is None:
                raise task.failure or ValueError("a task without a request that did not fail")
            task.utterance, task.template = self._parts.utterances.of(task.request, task.claim.fingerprint)
        except RequestFailed as error:
            self._fail(task, FailureCode(error.code), error.message)
            return
        if task.template:  # known only now; so far it was taken for the cost of the event's data
            self._load -= task.cost
            task.cost = cost(task.request, task.utterance.text)
            self._load += task.cost
        if task.request.prompt is None:
            self._admit(task)
        else:
            self._store.read_prompt(task, task.request.prompt, self._parts.prompts)

    def _voiced(self, task: Task, voice: Voice) -> None:
        """Its prompt is here."""
        if task.utterance is None:
            raise ValueError("a task without an utterance has a prompt")
        task.utterance = msgspec.structs.replace(task.utterance, voice=voice)
        self._admit(task)

    def _admit(self, task: Task) -> None:
        if not self._rounds.admit(task):
            message = (
                f"it killed its worker {task.attempts} times, alone: the process crashed, was killed for its memory, "
                "or left because its engine hung; its log says where: mend that, then redrive it"
            )
            self._fail(task, FailureCode.SYNTHESIS_FAILED, message)

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
            elif one.failure.mute:
                self._parts.admission.leave(one.task)
                self._fail(one.task, FailureCode.TEXT_EMPTY, f"text: {one.failure.message}")
            elif one.failure.voice:
                self._parts.admission.leave(one.task)
                self._fail(one.task, FailureCode.VOICE_UNKNOWN, one.failure.message)
            elif not one.failure.out_of_memory and not self._parts.admission.failed(one.task):
                self._fail(one.task, FailureCode.SYNTHESIS_FAILED, one.failure.message)

    def _spoken(self, spoken: Spoken) -> None:
        task, samples = spoken.task, spoken.speech.samples
        self._parts.admission.spoken(task)
        if not task.speeches:
            self._parts.dead_letters.spoken()  # until verification says otherwise
        task.speeches += 1
        task.spoken_at, task.revision = spoken.at, spoken.speech.revision
        self._journal.metrics.audio_seconds.inc(len(samples) / self._parts.engine.profile.sample_rate)
        self._store.keep_speech(task, samples)

    def _flawed(self, task: Task, flaw: Flaw) -> None:
        """The speech does not count: once more, with the next seed. No attempt of the engine's: that did not fail."""
        self._journal.metrics.speech_rejected.labels(flaw.measure).inc()
        utterance, profile = task.utterance, self._parts.engine.profile
        if utterance is None:
            raise ValueError("a task without an utterance was spoken")
        again = next_try(utterance, profile, task.speeches)
        if again is None:
            self._fail(task, FailureCode.SPEECH_REJECTED, rejection(flaw, utterance, profile).message)
            return
        task.spoken_at = 0.0
        task.utterance = again
        self._parts.admission.add(task)

    def _fail(self, task: Task, code: FailureCode, message: str) -> None:
        event = task.request.event if task.request else None
        doubtful = code is FailureCode.TEMPLATE_ERROR and event is not None and self._parts.utterances.doubtful(event)
        if code in _DEPLOYED or doubtful:
            self._parts.dead_letters.failed(message, spoken=task.speeches > 0)
        self._store.keep_failure(task, code, message)

    def _rejected(self, task: Task, error: StoreRejected) -> None:
        """The store will never take this object. Without a verdict there can be no result, so that one must stand.

        A verdict that cannot be read, or that a newer version wrote, stops the worker: it says who may emit what, and a
        failure of this record would need a verdict of its own in the very place where that one stands.
        """
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
        self._load -= task.cost
        self._tasks -= 1
        self._rounds.settled(task)
        follower = self._in_flight.leave(task)
        if follower is not None:
            self._store.look_up(follower)
