"""What a task asks of the store, run in the pool: look-ups, and speech, once it is verified, with its verdict."""

from __future__ import annotations

from streamer.clock import Clock
from streamer.engines.base import Samples
from streamer.errors import StoreRejected
from streamer.identity import Identity
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed, Failed, Verdict, Verdicts, audio_key
from streamer.worker.mastering import Mastering
from streamer.worker.pool import Outcome, Standing
from streamer.worker.task import Task
from streamer.worker.verify import Flaw


class Keeper:
    """Thread safe. Errors: those of the store."""

    def __init__(self, store: Store, mastering: Mastering, clock: Clock) -> None:
        self._store, self._verdicts = store, Verdicts(store)
        self._mastering, self._clock = mastering, clock

    def computing(self, samples: Samples) -> float:
        """Seconds that verifying and encoding them may take."""
        return self._mastering.computing(samples)

    def look_up(self, task: Task) -> Outcome:
        claim = task.claim
        previous = self._verdicts.read(claim.identity, claim.generation - 1) if claim.generation > 1 else None
        verdict = self._verdicts.read(claim.identity, claim.generation)
        if previous is not None and previous.deleted and verdict is not None and not verdict.deleted:
            # Whoever wrote it died before it looked at the one before again, as `_settle` does.
            bury(self._store, claim.identity, int(self._clock.now() * 1000))
            verdict = self._again(verdict)
        return Standing(verdict, previous, verdict is not None and self._lost_audio(task, verdict) is not None)

    def keep_speech(self, task: Task, samples: Samples) -> Verdict | Flaw:
        """Audio first, then its verdict; the verdict that stands. Or why the speech does not count."""
        began = self._clock.monotonic()
        master = self._mastering.master(task, samples)
        if isinstance(master, Flaw):
            return master
        master.write(self._store)
        standing = self._settle(task, master.completed(task, self._clock.monotonic() - began))
        lost = self._lost_audio(task, standing)
        if lost == master.key:
            master.write(self._store)
            standing = self._again(standing)
            lost = self._lost_audio(task, standing)
        if standing.deleted:
            self._store.delete(master.key)  # it may have been written after `streamer delete` had looked
        return self._with_audio(standing, lost)

    def keep_failure(self, task: Task, code: str, message: str) -> Verdict:
        standing = self._settle(task, Failed(code=code, message=message, attempts=task.synthesized))
        return self._with_audio(standing, self._lost_audio(task, standing))

    def _with_audio(self, standing: Verdict, lost: str | None) -> Verdict:
        """Errors: StoreRejected where the task's own verdict names a file that is gone, unless both were deleted."""
        if lost is None or (standing := self._again(standing)).deleted:
            return standing
        raise StoreRejected(
            f"its audio {self._store.uri(lost)} is gone, and today's engine, voice or template makes another; "
            "restore the file, or give the result up with `streamer delete`"
        )

    def _again(self, standing: Verdict) -> Verdict:
        """As it stands now: what is gone may have been deleted meanwhile, its verdict first."""
        return self._verdicts.read(standing.identity, standing.generation) or standing

    def _lost_audio(self, task: Task, standing: Verdict) -> str | None:
        """The key of the file that the task's own verdict names and that is not there."""
        if standing.owner != task.claim.owner or not isinstance(standing.state, Completed):
            return None
        key = audio_key(standing.identity, standing.state.audio)
        return key if self._store.size(key) is None else None

    def _settle(self, task: Task, state: Completed | Failed) -> Verdict:
        claim = task.claim
        verdict = Verdict(
            identity=claim.identity,
            generation=claim.generation,
            owner=claim.owner,
            fingerprint=claim.fingerprint,
            state=state,
            decided_at=int(self._clock.now() * 1000),
        )
        standing = self._verdicts.settle(verdict)
        if claim.generation > 1 and self._deleted(claim.identity, claim.generation - 1):
            bury(self._store, claim.identity, verdict.decided_at)
            return self._again(standing)
        return standing

    def _deleted(self, identity: Identity, generation: int) -> bool:
        verdict = self._verdicts.read(identity, generation)
        return verdict is not None and verdict.deleted
