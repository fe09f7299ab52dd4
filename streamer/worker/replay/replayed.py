"""Replayed: what a run says of each record of its range, as messages for tts.replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streamer.errors import RequestFailed
from streamer.records import Audio, Engine, Outcome, SpeechReplayed
from streamer.worker.echo import echo, message, shortened
from streamer.worker.ledger import Settled
from streamer.worker.pool import Found
from streamer.worker.replay.causes import Cause, Made
from streamer.worker.task import Task

_ENVELOPE = 64 * 1024
"""Bytes that a shortened record never reaches."""
_TEXT = 10_000
"""Characters of the text in it."""
_MESSAGE = 2_000


class Ended(Found, frozen=True, kw_only=True):
    """What became of a record; the schema explains each field."""

    outcome: Outcome
    generation: int
    causes: Sequence[Cause] = ()
    failure: RequestFailed | None = None
    made: Made | None = None
    previous: Audio | None = None
    decided_at: int | None = None
    """When it was promoted; None: just now."""


class Replayed:
    """Makes the messages of one run."""

    def __init__(self, encode: Callable[[SpeechReplayed], bytes], topic: str, label: str, max_bytes: int) -> None:
        """`max_bytes`: of the topic's largest message."""
        self._encode, self._topic, self._label = encode, topic, label
        self._room = max(_ENVELOPE, max_bytes - _ENVELOPE)

    def of(self, task: Task, ended: Ended, now: int) -> Settled:
        made = ended.made
        recipe = made.recipe if made else None
        failure = ended.failure
        told = failure.message if failure else "; ".join(cause.message for cause in ended.causes)
        replayed = SpeechReplayed(
            **(echo(task) | {"generation": ended.generation}),
            run=self._label,
            outcome=ended.outcome,
            reasons=[cause.reason for cause in ended.causes],
            message=told[:_MESSAGE],
            code=failure.code if failure else None,
            audio=made.audio if made else None,
            previous=ended.previous,
            text=recipe.text if recipe else None,
            voice=recipe.voice if recipe else None,
            engine=Engine(name=recipe.engine, revision=recipe.revision, seed=recipe.seed) if recipe else None,
            replayed_at=now if ended.decided_at is None else ended.decided_at,
        )
        value = self._encode(replayed)
        if len(value) > self._room:
            text = None if replayed.text is None else replayed.text[:_TEXT]
            value = self._encode(msgspec.structs.replace(shortened(replayed), text=text))
        identity = task.claim.identity
        return Settled(identity.id, task.trace_id, ended.outcome, message(task, self._topic, value))
