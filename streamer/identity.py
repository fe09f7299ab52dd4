"""Who a request is: its key, its place in the store, its fingerprint, and an id for one that came without."""

from __future__ import annotations

import hashlib
import uuid
from functools import cached_property

import msgspec

from streamer.records import SpeechRequest


class Identity(msgspec.Struct, frozen=True, dict=True):
    """An id within its source."""

    source: str
    id: str

    @property
    def key(self) -> bytes:
        """The Kafka key: one id always goes to one partition."""
        return f"{self.source}/{self.id}".encode()

    @cached_property
    def folder(self) -> str:
        """Its folder in the store: a hash; no sender chooses a path. The length keeps ("a", "bc") from ("ab", "c")."""
        return hashlib.sha256(f"{len(self.source)}:{self.source}{self.id}".encode()).hexdigest()


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The one record that may emit the result of a verdict."""

    cluster: str
    topic: str
    """Topic id, not name: a topic deleted and made again is another topic."""
    partition: int
    offset: int


def derived_id(topic_id: uuid.UUID, partition: int, offset: int) -> str:
    """The id of a record that has none: the same whoever reads it, and whenever."""
    return str(uuid.uuid5(topic_id, f"{partition}/{offset}"))


def fingerprint(request: SpeechRequest) -> str:
    """Hex digest of what the sender asked to be spoken, and how.

    Nothing that the worker decides enters it (rendered text, engine revision, seed drawn): a deploy between two
    attempts must not make a request conflict with itself. Nor does what does not change the audio: metadata,
    callback, output_name, times.
    """
    event, prompt = request.event, request.prompt
    sent = (
        1,
        request.text,
        (event.type, event.data) if event else None,
        request.voice,
        (prompt.prompt_audio, prompt.prompt_text) if prompt else None,
        request.format,
        request.sample_rate,
        request.seed,
        request.phoneme,
    )
    return hashlib.sha256(msgspec.json.encode(sent)).hexdigest()


def raw_fingerprint(value: bytes | None) -> str:
    """The fingerprint of a record that cannot be decoded."""
    return hashlib.sha256(b"raw:" + (value or b"")).hexdigest()
