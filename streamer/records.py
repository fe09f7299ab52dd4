"""The records that travel through Kafka, as schemas/*.avsc documents them field by field.

Times are milliseconds since the epoch, durations seconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FailureCode(StrEnum):
    """Why a record ended on tts.failed; a closed list. After each: who can mend it, and whether a redrive may help."""

    UNDECODABLE = "undecodable"
    """No Avro, an unknown schema, cut or trailing bytes. Its producer; sent anew, never redriven."""
    INVALID_REQUEST = "invalid_request"
    """Fields against the rules, all named. Its sender; sent anew, never redriven."""
    TEMPLATE_ERROR = "template_error"
    """Its event could not be rendered: no rule for the type, a field missing, data that a filter cannot speak. Whoever
    keeps configs/events.toml, or the sender of the event; retryable, after a correction there."""
    TEXT_EMPTY = "text_empty"
    """Nothing to speak: no text, a template that made nothing of its event, or only signs that the engine has no sound
    for. Its sender; not retryable."""
    TEXT_TOO_LONG = "text_too_long"
    """More characters than engine.max_text, rendered ones included. Its sender; not retryable."""
    VOICE_UNKNOWN = "voice_unknown"
    """No such preset, one without the prompt that this engine needs, or a request's own prompt that cannot be had or
    cloned; the message says which. Whoever keeps configs/voices.toml, or the prompt; retryable."""
    EXPIRED = "expired"
    """expires_at, or the time to live of its event's rule, had passed before it was spoken. Nobody: it is too late."""
    NOT_WANTED = "not_wanted"
    """The condition of its event's rule did not hold. Nobody, if that is meant; retryable, after a correction there."""
    SYNTHESIS_FAILED = "synthesis_failed"
    """The engine failed it engine.attempts times alone. Whoever runs the engine; retryable."""
    SPEECH_REJECTED = "speech_rejected"
    """It was spoken, and verification found silence, clipping, a loop or an impossible length, with the next seed too.
    The message gives measure and bound. Whoever runs the engine; retryable, after another revision of it."""
    STORE_REJECTED = "store_rejected"
    """The store will never take this audio: too large, no right to. Whoever runs the store; retryable."""
    ID_CONFLICT = "id_conflict"
    """Its id was used for another request of its source, or it is no valid redrive. Its sender, under a new id; a
    result of the record, not of its id, and never redriven."""
    DELETED = "deleted"
    """`streamer delete` took its audio away before its result was committed. Nobody; never redriven."""

    @property
    def retryable(self) -> bool:
        """Whether the same bytes may succeed later: after a corrected template, voice, engine or store."""
        return self in _RETRYABLE


_RETRYABLE = {
    FailureCode.TEMPLATE_ERROR,
    FailureCode.VOICE_UNKNOWN,
    FailureCode.NOT_WANTED,
    FailureCode.SYNTHESIS_FAILED,
    FailureCode.SPEECH_REJECTED,
    FailureCode.STORE_REJECTED,
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    data: str
    """One JSON object, as text."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    prompt_audio: str
    prompt_text: str


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    id: str = ""
    text: str | None = None
    event: Event | None = None
    voice: str | None = None
    prompt: Prompt | None = None
    format: str | None = None
    sample_rate: int | None = None
    seed: int | None = None
    phoneme: bool | None = None
    output_name: str | None = None
    metadata: dict[str, str] = {}
    callback: str | None = None
    expires_at: int | None = None
    requested_at: int = 0


class Position(msgspec.Struct, frozen=True, kw_only=True):
    topic: str
    partition: int
    offset: int


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    format: str
    sample_rate: int
    frames: int
    duration: float
    bytes: int
    sha256: str
    pcm_sha256: str


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    revision: str
    seed: int


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    queued: float
    synthesis: float
    durable: float


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """What every result repeats of its request."""

    source: str
    id: str
    generation: int = 1
    metadata: dict[str, str] = {}
    callback: str | None = None
    output_name: str | None = None
    requested_at: int = 0
    position: Position


class SpeechCompleted(Echo, frozen=True, kw_only=True):
    audio: Audio
    text: str
    voice: str
    engine: Engine
    timings: Timings
    completed_at: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: bytes | None


class Original(msgspec.Struct, frozen=True, kw_only=True):
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    truncated: bool
    size: int


class SpeechFailed(Echo, frozen=True, kw_only=True):
    code: str
    message: str
    retryable: bool = False
    attempts: int = 0
    original: Original
    failed_at: int


Result = SpeechCompleted | SpeechFailed


class Outcome(StrEnum):
    """What became of one record of a replay; as schemas/speech_replayed.avsc says."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    PROMOTED = "promoted"
    FAILED = "failed"
    SKIPPED = "skipped"


class SpeechReplayed(Echo, frozen=True, kw_only=True):
    run: str
    outcome: str
    reasons: list[str] = []
    message: str = ""
    code: str | None = None
    audio: Audio | None = None
    previous: Audio | None = None
    text: str | None = None
    voice: str | None = None
    engine: Engine | None = None
    replayed_at: int


TASK_ID = "task-id"
TRACEPARENT = "traceparent"
FOLLOWS = "streamer-follows"
"""Header of a redrive: the generation whose failure it follows. Its event's time to live counts from the redrive's own
record; an expires_at that the request names stands."""
ORIGIN = "streamer-origin"
"""Header of a redrive: `<partition>/<offset>` where the request stood first; a missing id is derived from it. Alone,
without FOLLOWS, on a record that could not be decoded before, and now is a request like any other."""
