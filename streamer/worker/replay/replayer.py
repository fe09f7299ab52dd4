"""The replayer: what a replay does with the records of its range.

    own verdict?  →  the latest one  →  rendered, spoken and verified as ever  →  compared  →  tts.replayed

Only the record that owns its verdict is made again. Expiry is no matter: it was decided long ago. The dead-letter limit
holds as for the service: an engine or a template that is broken stops the run instead of failing everything in it.
"""

from __future__ import annotations

import msgspec

from streamer.clock import Clock
from streamer.engines.base import Samples
from streamer.errors import RequestFailed
from streamer.records import FailureCode, Outcome
from streamer.store.base import Store
from streamer.store.verdicts import Completed, Verdict, Verdicts, audio_key
from streamer.worker.duty import Judgement
from streamer.worker.journal import Journal
from streamer.worker.mastering import Master, Mastering
from streamer.worker.pool import Outcome as PoolOutcome
from streamer.worker.replay.causes import Cause, Reason, causes
from streamer.worker.replay.inquiry import Current, Inquiry
from streamer.worker.replay.replayed import Ended, Replayed
from streamer.worker.replay.run import Mode, Run
from streamer.worker.task import Task
from streamer.worker.verify import Flaw


class Replayer:
    """See duty.Duty. A crash at any point is mended by reading the record again: what it finds decides."""

    def __init__(
        self, store: Store, mastering: Mastering, replayed: Replayed, run: Run, clock: Clock, journal: Journal
    ) -> None:
        self._store, self._verdicts = store, Verdicts(store)
        self._mastering, self._replayed, self._run = mastering, replayed, run
        self._clock, self._journal = clock, journal
        self._writes = run.mode is not Mode.VERIFY
        self._inquiry = Inquiry(store, run, clock, writes=self._writes)

    def look_up(self, task: Task) -> PoolOutcome:
        return self._inquiry.of(task)

    def keep_speech(self, task: Task, samples: Samples) -> PoolOutcome:
        """Audio first, then, where it is promoted, its verdict. Then all is looked at anew: another run may have
        promoted one meanwhile, and `streamer delete` may have come; what was written then goes with the rest.

        Verifying writes nothing that would have to go, and is compared with what was found before it was spoken."""
        began = self._clock.monotonic()
        master = self._mastering.master(task, samples)
        if isinstance(master, Flaw):
            return master
        if isinstance(task.found, Current):
            return self._compared(task, task.found, master)
        master.write(self._store)
        durable = self._clock.monotonic() - began
        while isinstance(found := self._inquiry.of(task), Current):
            same = self._same(task, found, master)
            if same and found.lost:
                master.write(self._store)  # gone once more
            elif not same and self._run.mode is Mode.PROMOTE:
                self._verdicts.settle(self._successor(found.verdict, master.completed(task, durable)))
            else:
                return self._compared(task, found, master)
        return found

    def keep_failure(self, task: Task, code: FailureCode, message: str) -> PoolOutcome:
        """No verdict: what stands, stands."""
        found = self._inquiry.of(task)
        if not isinstance(found, Current):
            return found
        return Ended(
            outcome=Outcome.FAILED,
            generation=found.verdict.generation,
            causes=[Cause(Reason.VOICE, message)] if code is FailureCode.VOICE_UNKNOWN else (),
            failure=RequestFailed(code, message),
            previous=found.state.audio,
        )

    def judge(self, task: Task, found: PoolOutcome, now: int) -> Judgement:
        if isinstance(found, Current):
            if not self._writes:
                task.found = found
            elif found.lost:
                self._journal.log.warning(found.lost, task_id=task.claim.identity.id)
            return None
        if not isinstance(found, Ended):
            raise TypeError(f"nothing to judge by: {found!r}")
        if found.made is not None:
            self._journal.durable(task, found.outcome)
        return self._replayed.of(task, found, now)

    def computing(self, samples: Samples) -> float:
        return self._mastering.computing(samples)

    # How a record ends

    def _same(self, task: Task, found: Current, master: Master) -> bool:
        return audio_key(task.claim.identity, found.state.audio) == master.key

    def _compared(self, task: Task, found: Current, master: Master) -> Ended:
        why = [] if self._same(task, found, master) else list(causes(found.state, master))
        if found.lost:
            why.append(Cause(Reason.MISSING, found.lost))
        return Ended(
            outcome=Outcome.DIFFERENT if why else Outcome.IDENTICAL,
            generation=found.verdict.generation,
            made=master,
            previous=found.state.audio,
            causes=why,
        )

    def _successor(self, current: Verdict, state: Completed) -> Verdict:
        """Owner and fingerprint stay: it is the same request's."""
        return msgspec.structs.replace(
            current, generation=current.generation + 1, state=state, decided_at=self._now(), run=self._run.label
        )

    def _now(self) -> int:
        return int(self._clock.now() * 1000)
