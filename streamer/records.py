"""The records that travel through Kafka, as schemas/*.avsc documents them field by field.

Times are milliseconds since the epoch, durations seconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FailureCode(StrEnum):
    """Why a record ended on tts.failed; a closed list."""

    UNDECODABLE = "undecodable"
    INVALID_REQUEST = "invalid_request"
    TEMPLATE_ERROR = "template_error"
    TEXT_EMPTY = "text_empty"
    TEXT_TOO_LONG = "text_too_long"
    VOICE_UNKNOWN = "voice_unknown"
    EXPIRED = "expired"
    NOT_WANTED = "not_wanted"
    SYNTHESIS_FAILED = "synthesis_failed"
    SPEECH_REJECTED = "speech_rejected"
    STORE_REJECTED = "store_rejected"
    ID_CONFLICT = "id_conflict"

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

TASK_ID = "task-id"
TRACEPARENT = "traceparent"
FOLLOWS = "streamer-follows"
"""Header of a redrive: the generation whose failure it follows."""
ORIGIN = "streamer-origin"
"""Header of a redrive: `<partition>/<offset>` where the request stood first; a missing id is derived from it."""
