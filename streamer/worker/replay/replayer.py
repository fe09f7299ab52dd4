"""The replayer: what a replay does with the records of its range.

    own verdict?  →  the latest one  →  rendered, spoken and verified as ever  →  compared  →  tts.replayed

Only the record that owns its verdict is made again. Expiry is no matter: it was decided long ago.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from streamer.clock import Clock
from streamer.engines.base import Samples
from streamer.errors import RequestFailed, StoreRejected
from streamer.identity import Identity
from streamer.records import Audio, FailureCode, Outcome
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed, Verdict, Verdicts, audio_key
from streamer.worker.duty import Judgement
from streamer.worker.journal import Journal
from streamer.worker.judge import Claim, Decision, follows, judge
from streamer.worker.mastering import Master, Mastering
from streamer.worker.pool import Found
from streamer.worker.pool import Outcome as PoolOutcome
from streamer.worker.replay.causes import Cause, Reason, causes
from streamer.worker.replay.replayed import Ended, Replayed
from streamer.worker.replay.run import Mode, Run
from streamer.worker.task import Task
from streamer.worker.verify import Flaw


class Current(Found, frozen=True):
    """The verdict that is to be made again: the latest one of the record's id, and the record's own."""

    verdict: Verdict
    state: Completed
    lost: str = ""
    """What is wrong with its file, if anything is."""

    @property
    def key(self) -> str:
        return audio_key(self.verdict.identity, self.state.audio)


class Replayer:
    """See duty.Duty. A crash at any point is mended by reading the record again: what it finds decides."""

    def __init__(
        self, store: Store, mastering: Mastering, replayed: Replayed, run: Run, clock: Clock, journal: Journal
    ) -> None:
        self._store, self._verdicts = store, Verdicts(store)
        self._mastering, self._replayed, self._run = mastering, replayed, run
        self._clock, self._journal = clock, journal
        self._writes = run.mode is not Mode.VERIFY

    def look_up(self, task: Task) -> PoolOutcome:
        return self._look(task)

    def keep_speech(self, task: Task, samples: Samples) -> PoolOutcome:
        """Audio first, then, where it is promoted, its verdict. Then all is looked at anew: another run may have
        promoted one meanwhile, and `streamer delete` may have come; what was written then goes with the rest."""
        began = self._clock.monotonic()
        master = self._mastering.master(task, samples)
        if isinstance(master, Flaw):
            return master
        if self._writes:
            master.write(self._store)
        durable = self._clock.monotonic() - began
        while isinstance(found := self._look(task), Current):
            if found.key == master.key:
                if not self._writes or not found.lost:
                    return self._same(found, master)
                master.write(self._store)  # gone once more
            elif self._run.mode is Mode.PROMOTE:
                self._verdicts.settle(self._successor(found.verdict, master.completed(task, durable)))
            else:
                return self._other(found, master)
        return found

    def keep_failure(self, task: Task, code: FailureCode, message: str) -> PoolOutcome:
        """No verdict: what stands, stands."""
        found = self._look(task)
        if not isinstance(found, Current):
            return found
        return Ended(
            outcome=Outcome.FAILED,
            generation=found.verdict.generation,
            failure=RequestFailed(code, message),
            previous=found.state.audio,
        )

    def judge(self, task: Task, found: PoolOutcome, now: int) -> Judgement:
        if isinstance(found, Current):
            if found.lost and self._writes:
                self._journal.log.warning(found.lost, task_id=task.claim.identity.id)
            return None
        if not isinstance(found, Ended):
            raise TypeError(f"nothing to judge by: {found!r}")
        if found.made is not None:
            self._journal.durable(task, found.outcome)
        return self._replayed.of(task, found, now)

    def computing(self, samples: Samples) -> float:
        return self._mastering.computing(samples)

    # What stands

    def _look(self, task: Task) -> Current | Ended:
        claim = task.claim
        if task.request is None:
            return _skipped(claim, Reason.UNDECODABLE, task.failure.message if task.failure else "")
        if task.generation_problem:
            return _skipped(claim, Reason.CONFLICT, task.generation_problem)
        own = self._verdicts.read(claim.identity, claim.generation)
        if own is None or own.owner != claim.owner:
            return self._not_its_own(claim, own)
        standing = self._since(own)
        if any(verdict.deleted for verdict in standing):
            return self._deleted(claim)
        if not isinstance(own.state, Completed):  # what a redrive made of it is that one's
            return _skipped(claim, Reason.FAILED, f"it ended as {own.state.code}: {own.state.message}")
        states = [verdict.state for verdict in standing if isinstance(verdict.state, Completed)]
        if len(states) < len(standing):
            raise StoreRejected("a generation that failed follows one that completed; restore what stood there")
        for (_, before), (verdict, state) in pairwise(zip(standing, states, strict=True)):
            if verdict.run == self._run.label and not self._lost(claim.identity, state.audio):
                return self._promoted(before, state, verdict)  # once, though another run may have followed it
        lost = self._lost(claim.identity, states[-1].audio)
        again = self._verdicts.read(claim.identity, standing[-1].generation) if lost else None
        if again is not None and again.deleted:  # its verdict first, then the file
            return self._deleted(claim)
        return Current(standing[-1], states[-1], lost)

    def _not_its_own(self, claim: Claim, standing: Verdict | None) -> Ended:
        """As judge.judge has it for the service, which emitted nothing for this record, or a conflict."""
        if claim.generation > 1:
            reason = follows(claim, self._verdicts.read(claim.identity, claim.generation - 1))
            if reason is not None:
                return _skipped(claim, Reason.CONFLICT, reason)
        if standing is None:
            return _skipped(claim, Reason.UNDECIDED, "it has no result yet")
        where = f"the record at partition {standing.owner.partition}, offset {standing.owner.offset}"
        if judge(claim, standing, 0) is Decision.DUPLICATE:
            return _skipped(claim, Reason.DUPLICATE, f"{where} has the same id and request")
        return _skipped(claim, Reason.CONFLICT, f"{where} has the same id and another request")

    def _since(self, own: Verdict) -> list[Verdict]:
        """The own verdict and all that followed it; none is ever left out between them."""
        standing = [own]
        while (following := self._verdicts.read(own.identity, standing[-1].generation + 1)) is not None:
            standing.append(following)
        return standing

    def _deleted(self, claim: Claim) -> Ended:
        """What a replay wrote beside the tombstones, just now or before it was killed, goes as well."""
        if self._writes:
            bury(self._store, claim.identity, self._now())
        return _skipped(claim, Reason.DELETED, "its audio was deleted by `streamer delete`")

    def _lost(self, identity: Identity, audio: Audio) -> str:
        size = self._store.size(audio_key(identity, audio))
        if size == audio.bytes:
            return ""
        return f"{audio.uri} is gone" if size is None else f"{audio.uri} has {size} bytes instead of {audio.bytes}"

    # How a record ends

    def _promoted(self, before: Completed, state: Completed, verdict: Verdict) -> Ended:
        """From what stands, so that it is said in the same words however often it is read."""
        return Ended(
            outcome=Outcome.PROMOTED,
            generation=verdict.generation,
            made=state,
            previous=before.audio,
            causes=causes(before, state),
            decided_at=verdict.decided_at,
        )

    def _same(self, found: Current, master: Master) -> Ended:
        lost = _missing(found)
        return Ended(
            outcome=Outcome.DIFFERENT if lost else Outcome.IDENTICAL,
            generation=found.verdict.generation,
            made=master,
            previous=found.state.audio,
            causes=lost,
        )

    def _other(self, found: Current, master: Master) -> Ended:
        return Ended(
            outcome=Outcome.DIFFERENT,
            generation=found.verdict.generation,
            made=master,
            previous=found.state.audio,
            causes=[*causes(found.state, master), *_missing(found)],
        )

    def _successor(self, current: Verdict, state: Completed) -> Verdict:
        """Owner and fingerprint stay: it is the same request's."""
        return msgspec.structs.replace(
            current, generation=current.generation + 1, state=state, decided_at=self._now(), run=self._run.label
        )

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def _missing(found: Current) -> list[Cause]:
    return [Cause(Reason.MISSING, found.lost)] if found.lost else []


def _skipped(claim: Claim, reason: Reason, message: str) -> Ended:
    return Ended(outcome=Outcome.SKIPPED, generation=claim.generation, causes=[Cause(reason, message)])
