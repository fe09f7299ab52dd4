"""Rounds: what enters the engine together is noted in the store before it does (store/attempts.py), so that a record
that kills its worker, or hangs its engine, is found.

One round is on its way at a time, so that rounds grow under load: each partition's note is written at most once a
round. It names all that is under way, so that there are the fewer rounds the more that is.

What a dead worker's note names is a suspect when it is to be spoken again. Suspects are tried apart from everything
else, in an eighth of the company in which the worker died, at last alone; a death while alone is charged to the record
like a failed attempt. So a record that kills is found after one death for each power of eight that shared the engine
with it, and `engine.attempts` more; and a worker that died for another reason does not make its successor speak one
record after the other.
"""

from __future__ import annotations

from functools import partial

from streamer.clock import Clock
from streamer.errors import StopWorker, StoreRejected
from streamer.kafka.base import Partition
from streamer.store.attempts import Attempts, Note, Page
from streamer.worker.admission import Admission
from streamer.worker.journal import Journal
from streamer.worker.pool import Noting, Outcome
from streamer.worker.store_work import StoreWork
from streamer.worker.synthesis import EngineHost
from streamer.worker.task import Task
from streamer.worker.tenure import Tenure

_SHARE = 8
"""By how much a company shrinks after a death. More finds a culprit in fewer deaths, and lets the innocent wait longer
for each other."""

_CHEAP = 1_000
"""Records that a note names at no cost worth counting."""
_PACE = 5e-6
"""Seconds until the next round for each record above that: naming it takes some 0.3 µs of the loop's."""


class Rounds:
    """On the loop's thread. What it asks of the store goes through `store`, and comes back to `done`."""

    def __init__(
        self,
        attempts: Attempts,
        admission: Admission,
        engine: EngineHost,
        store: StoreWork,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._attempts, self._admission, self._engine = attempts, admission, engine
        self._store, self._clock, self._journal = store, clock, journal
        self._pages: dict[Partition, Page] = {}
        self._opening: dict[Tenure, list[Task]] = {}  # their predecessors' notes are being read; who waits for that
        self._entering: list[Task] = []
        self._unwritten: set[Tenure] = set()
        self._alone: Tenure | None = None  # whose note says so
        self._next_at = 0.0

    def admit(self, task: Task) -> bool:
        """It can be spoken. False: speaking it has used up its attempts, for it killed so many workers."""
        tenure = task.tenure
        if tenure.suspects is None:
            self._open(tenure)
            self._opening[tenure].append(task)
            return True
        suspect = tenure.suspects.get(task.record.offset)
        if suspect is not None:
            task.attempts = suspect.charges
            task.company = max(1, suspect.company // _SHARE)
            if self._admission.exhausted(task):
                return False
        self._admission.add(task)
        return True

    def turn(self) -> None:
        """Let the engine have the round that is noted; then begin the next."""
        if self._entering and not self._unwritten:
            entering, self._entering = self._entering, []
            entering = [task for task in entering if task.tenure.alive]
            now = self._clock.now()
            for task in entering:
                task.started_at = now
            self._engine.submit(entering)
            self._journal.started(entering)
        if not self._entering and self._clock.monotonic() >= self._next_at:
            self._entering = self._admission.take(empty=self._engine.empty)
            if self._entering:
                self._note(dict.fromkeys(task.tenure for task in self._entering))

    def done(self, noting: Noting, outcome: Outcome) -> list[Task]:
        """What waited for this, to be admitted now. Errors: StopWorker where the store refuses notes."""
        tenure = noting.tenure
        if noting.operation == "read_attempts":
            if isinstance(outcome, StoreRejected):  # nothing is lost with it
                self._journal.log.warning(
                    "who was under way when a worker died is counted anew",
                    partition=str(tenure.partition),
                    error=str(outcome),
                )
            return self._opened(tenure, outcome if isinstance(outcome, Note) else Note())
        if isinstance(outcome, StoreRejected) and tenure.alive:
            raise StopWorker(
                f"{tenure.partition}: what enters the engine cannot be noted: {outcome}. Without that a record that "
                "kills its worker would never be found"
            ) from outcome
        if noting.operation == "note_attempts":
            self._unwritten.discard(tenure)
        return []

    def drop(self, tenure: Tenure) -> list[Noting]:
        """The tenure is dead; before its tasks are forgotten. What is to be said of that.

        What was under way was interrupted, and is not to blame: unless a step is under way that may never end. Then
        the note stands, and whoever has the partition now finds out; else such a record would go on from worker to
        worker uncharged, for each that it ends makes the partitions move.
        """
        self._opening.pop(tenure, None)
        self._unwritten.discard(tenure)
        if tenure.page is None:
            return []
        tenure.page.end(clearing=not self._engine.overdue)
        return [Noting(tenure, "clear_attempts", tenure.page.clear)] if tenure.tasks else []

    def settled(self, task: Task) -> None:
        """It is suspected no longer, or its tenure is over."""
        if task.tenure.suspects:
            task.tenure.suspects.pop(task.record.offset, None)

    def _open(self, tenure: Tenure) -> None:
        if tenure.page is not None:
            return
        partition = tenure.partition
        tenure.page = self._pages[partition] = self._attempts.page(partition.number, self._pages.get(partition))
        self._opening[tenure] = []
        self._store.note(Noting(tenure, "read_attempts", tenure.page.read))

    def _opened(self, tenure: Tenure, note: Note) -> list[Task]:
        if not tenure.alive or tenure.ledger is None:
            return []
        base = tenure.ledger.base
        # Those below are finished. Of those above, some may be; they are never received again, and pass below in time.
        suspects = {offset: suspect for offset, suspect in note.accused().items() if offset >= base}
        tenure.suspects = suspects
        if suspects:
            self._journal.log.warning(
                "records were under way when a worker died",
                partition=str(tenure.partition),
                records=len(suspects),
                charged={offset: suspect.charges for offset, suspect in suspects.items() if suspect.charges},
            )
        return self._opening.pop(tenure, [])

    def _note(self, tenures: dict[Tenure, None]) -> None:
        """Write anew the notes of these, and the one that still says that somebody is alone."""
        if self._alone is not None and self._alone.alive:
            tenures[self._alone] = None
        under_way: dict[Tenure, list[int]] = {tenure: [] for tenure in tenures}
        company = 0
        for task in self._admission.under_way():
            company += 1
            if task.tenure in under_way:
                under_way[task.tenure].append(task.record.offset)
        self._next_at = self._clock.monotonic() + _PACE * max(0, company - _CHEAP)
        if not self._admission.exclusive:
            company = max(2, company)  # others may join
        self._alone = self._entering[0].tenure if company == 1 else None
        self._unwritten = set(tenures)
        for tenure, offsets in under_way.items():
            if tenure.page is not None:
                note = Note(under_way=offsets, company=company, suspects=dict(tenure.suspects or {}))
                self._store.note(Noting(tenure, "note_attempts", partial(tenure.page.write, note)))
