"""What turns a record into bytes and back, whichever wire format it is."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

from streamer.records import SpeechCompleted, SpeechFailed, SpeechReplayed, SpeechRequest

R = TypeVar("R", SpeechRequest, SpeechCompleted, SpeechFailed, SpeechReplayed)


class Codec(Protocol[R]):
    """`encode` and `decode` never wait for anything; `load` does, and may run in another thread than they."""

    def encode(self, record: R) -> bytes: ...

    def decode(self, data: bytes | None) -> R:
        """Errors: RequestFailed("undecodable"), which says what the bytes are instead; SchemaNotLoaded, where its
        schema has to be loaded first."""

    def load(self, schema_id: int) -> None:
        """Ask for a schema; once it returns, `decode` judges the records that name it.

        Errors: RegistryUnavailable: try again later.
        """


class Codecs(NamedTuple):
    """A codec for the values of each topic."""

    requests: Codec[SpeechRequest]
    completed: Codec[SpeechCompleted]
    failed: Codec[SpeechFailed]
    replayed: Codec[SpeechReplayed]
