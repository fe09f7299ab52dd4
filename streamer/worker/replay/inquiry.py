"""What stands in the store about a record that is to be made again: its current audio, or why there is none to be made.

Asked before it is spoken, and again afterwards where that writes; and by a dry run, which speaks nothing.
"""

from __future__ import annotations

from itertools import pairwise

from streamer.clock import Clock
from streamer.errors import StoreRejected
from streamer.identity import Identity
from streamer.records import Audio, Outcome
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed, Verdict, Verdicts, audio_key
from streamer.worker.judge import Claim, Decision, follows, judge
from streamer.worker.pool import Found
from streamer.worker.replay.causes import Cause, Reason, causes
from streamer.worker.replay.replayed import Ended
from streamer.worker.replay.run import Run
from streamer.worker.task import Task


class Current(Found, frozen=True):
    """The verdict that is to be made again: the latest one of the record's id, and the record's own."""

    verdict: Verdict
    state: Completed
    lost: str = ""
    """What is wrong with its file, if anything is."""


class Inquiry:
    """Thread safe. Errors: those of the store."""

    def __init__(self, store: Store, run: Run, clock: Clock, *, writes: bool) -> None:
        """`writes`: whoever asks has written audio, which goes where it meets a tombstone."""
        self._store, self._verdicts = store, Verdicts(store)
        self._run, self._clock, self._writes = run, clock, writes

    def of(self, task: Task) -> Current | Ended:
        """Current: it is to be spoken; else how it ends."""
        claim = task.claim
        if task.request is None:
            return _skipped(claim, Reason.UNDECODABLE, task.failure.message if task.failure else "")
        if task.generation_problem:
            return _skipped(claim, Reason.CONFLICT, task.generation_problem)
        own = self._verdicts.read(claim.identity, claim.generation)
        if own is None or own.owner != claim.owner:
            return self._not_its_own(claim, own)
        standing = self._since(own, claim.identity)
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

    def _since(self, own: Verdict, identity: Identity) -> list[Verdict]:
        """The own verdict and all that followed it; none is ever left out between them."""
        standing = [own]
        while (following := self._verdicts.read(identity, standing[-1].generation + 1)) is not None:
            standing.append(following)
        return standing

    def _deleted(self, claim: Claim) -> Ended:
        """What a replay wrote beside the tombstones, just now or before it was killed, goes as well."""
        if self._writes:
            bury(self._store, claim.identity, int(self._clock.now() * 1000))
        return _skipped(claim, Reason.DELETED, "its audio was deleted by `streamer delete`")

    def _lost(self, identity: Identity, audio: Audio) -> str:
        size = self._store.size(audio_key(identity, audio))
        if size == audio.bytes:
            return ""
        return f"{audio.uri} is gone" if size is None else f"{audio.uri} has {size} bytes instead of {audio.bytes}"

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


def _skipped(claim: Claim, reason: Reason, message: str) -> Ended:
    return Ended(outcome=Outcome.SKIPPED, generation=claim.generation, causes=[Cause(reason, message)])
