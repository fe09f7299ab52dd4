"""The ordinary duty: every request ends once, by its verdict."""

from __future__ import annotations

from streamer.engines.base import Samples
from streamer.errors import RequestFailed
from streamer.records import FailureCode
from streamer.store.verdicts import Completed, Verdict
from streamer.worker.duty import Judgement
from streamer.worker.journal import Journal
from streamer.worker.judge import Decision, follows, judge
from streamer.worker.keeper import Keeper
from streamer.worker.pool import Outcome, Standing
from streamer.worker.results import Results
from streamer.worker.task import Task


class Service:
    """See duty.Duty."""

    def __init__(self, keeper: Keeper, results: Results, journal: Journal) -> None:
        self._keeper, self._results, self._journal = keeper, results, journal

    def look_up(self, task: Task) -> Outcome:
        return self._keeper.look_up(task)

    def keep_speech(self, task: Task, samples: Samples) -> Outcome:
        return self._keeper.keep_speech(task, samples)

    def keep_failure(self, task: Task, code: FailureCode, message: str) -> Outcome:
        return self._keeper.keep_failure(task, code, message)

    def computing(self, samples: Samples) -> float:
        return self._keeper.computing(samples)

    def judge(self, task: Task, found: Outcome, now: int) -> Judgement:
        if isinstance(found, Verdict):
            self._journal.durable(task, "completed" if isinstance(found.state, Completed) else "failed")
            return self._by_verdict(task, found, now)
        if not isinstance(found, Standing):
            raise TypeError(f"nothing to judge by: {found!r}")
        problem = task.generation_problem
        # Whoever owns its verdict did follow; what it followed may have been deleted since.
        owns = found.verdict is not None and found.verdict.owner == task.claim.owner
        if not problem and not owns and task.claim.generation > 1 and (reason := follows(task.claim, found.previous)):
            problem = f"header streamer-follows: {reason}"
        if problem:
            return self._results.conflict(task, problem, now)
        if found.lacks_audio:
            return None  # the same engine makes the same file again; any other is refused once it is made
        return self._by_verdict(task, found.verdict, now)

    def _by_verdict(self, task: Task, verdict: Verdict | None, now: int) -> Judgement:
        decision = judge(task.claim, verdict, now)
        if decision is Decision.WORK:
            return None
        if decision is Decision.EXPIRED:
            limit = "its event's time to live, until" if task.request and task.request.event else "expires_at"
            return RequestFailed(
                FailureCode.EXPIRED, f"{limit} {task.claim.expires_at} had passed before it was spoken"
            )
        if decision is Decision.DUPLICATE:
            return self._results.duplicate(task)
        if verdict is None:
            raise ValueError(f"{decision} without a verdict")
        if decision is Decision.EMIT:
            return self._results.of(task, verdict)
        message = (
            f"id: {task.claim.identity.id[:200]!r} was used for another request of its source (partition "
            f"{verdict.owner.partition}, offset {verdict.owner.offset}); send this one under a new id"
        )
        return self._results.conflict(task, message, now)
