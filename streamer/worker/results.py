"""Results: what a task emits, as messages for tts.completed and tts.failed."""

from __future__ import annotations

from collections.abc import Callable

from streamer.records import Engine, FailureCode, Header, Original, SpeechCompleted, SpeechFailed
from streamer.store.verdicts import Completed, Failed, Verdict
from streamer.worker.echo import echo, message, shortened
from streamer.worker.ledger import Settled
from streamer.worker.task import Task

_RETRYABLE = frozenset(code.value for code in FailureCode if code.retryable)
_ENVELOPE = 64 * 1024
"""Bytes of the message that are left for everything but the original's value; its headers and key have as many."""
_KEY = 1_000
"""Bytes of an original's key, where it does not fit."""


class Results:
    def __init__(
        self,
        encode_completed: Callable[[SpeechCompleted], bytes],
        encode_failed: Callable[[SpeechFailed], bytes],
        *,
        completed_topic: str,
        failed_topic: str,
        max_failed_bytes: int,
    ) -> None:
        self._encode_completed, self._encode_failed = encode_completed, encode_failed
        self._completed_topic, self._failed_topic = completed_topic, failed_topic
        self._max_original = max(_ENVELOPE, max_failed_bytes - _ENVELOPE)

    def of(self, task: Task, verdict: Verdict) -> Settled:
        """What stands in the task's own verdict."""
        state = verdict.state
        if isinstance(state, Completed):
            value = self._encode_completed(self._completed(task, verdict.decided_at, state))
            return self._settled(task, "ok", self._completed_topic, value)
        return self._failure(task, state, verdict.decided_at)

    def conflict(self, task: Task, why: str, now: int) -> Settled:
        """A result of this record, not of its id: it has no verdict and is never redriven."""
        return self._failure(task, Failed(code=FailureCode.ID_CONFLICT, message=why), now)

    def duplicate(self, task: Task) -> Settled:
        return Settled(task.claim.identity.id, task.trace_id, "duplicate", None)

    def _settled(self, task: Task, code: str, topic: str, value: bytes) -> Settled:
        return Settled(task.claim.identity.id, task.trace_id, code, message(task, topic, value))

    def _completed(self, task: Task, completed_at: int, state: Completed) -> SpeechCompleted:
        recipe = state.recipe
        return SpeechCompleted(
            **echo(task),
            audio=state.audio,
            text=recipe.text,
            voice=recipe.voice,
            engine=Engine(name=recipe.engine, revision=recipe.revision, seed=recipe.seed),
            timings=state.timings,
            completed_at=completed_at,
        )

    def _failure(self, task: Task, state: Failed, failed_at: int) -> Settled:
        failed = SpeechFailed(
            **echo(task),
            code=state.code,
            message=state.message[:2000],
            retryable=state.code in _RETRYABLE,
            attempts=state.attempts,
            original=self._original(task, deleted=state.code == FailureCode.DELETED),
            failed_at=failed_at,
        )
        value = self._encode_failed(failed)
        if len(value) > self._max_original:  # the request's own fields are echoed too; an id may be enormous
            failed = shortened(failed)
            value = self._encode_failed(failed)
        return self._settled(task, state.code, self._failed_topic, value)

    def _original(self, task: Task, *, deleted: bool) -> Original:
        """The record as it was read, cut where it would not fit: key and headers only while they leave room. Of one
        whose audio was deleted, what was asked is not repeated either: it is never redriven."""
        record = task.record
        value = record.value or b""
        if deleted:
            key = None if record.key is None else record.key[:_KEY]
            return Original(key=key, value=None, headers=[], truncated=True, size=len(value))
        room = self._max_original // 2
        headers = [Header(name=name, value=content) for name, content in record.headers]
        around = len(record.key or b"") + sum(len(h.name) + len(h.value or b"") + 8 for h in headers)
        fits = around <= _ENVELOPE
        truncated = not fits or len(value) > room
        return Original(
            key=record.key if fits else (record.key or b"")[:_KEY],
            value=None if record.value is None else value[:room],
            headers=headers if fits else [],
            truncated=truncated,
            size=len(value),
        )
