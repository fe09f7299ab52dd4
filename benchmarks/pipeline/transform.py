"""The work that raw loop and Quix do with a record: the same Avro, decoded and encoded."""

from __future__ import annotations

from streamer.records import Audio, Engine, Position, SpeechCompleted, Timings
from streamer.wire import avro

_AUDIO = Audio(
    uri="memory:///" + "a" * 64 + "/" + "b" * 64 + ".wav",
    format="wav",
    sample_rate=24_000,
    frames=2_400,
    duration=0.1,
    bytes=4_844,
    sha256="b" * 64,
    pcm_sha256="c" * 64,
)


class Transform:
    def __init__(self) -> None:
        self._requests, self._completed = avro.requests(), avro.completed()

    def __call__(self, value: bytes, topic: str, partition: int, offset: int) -> bytes:
        request = self._requests.decode(value)
        return self._completed.encode(
            SpeechCompleted(
                source=request.source,
                id=request.id,
                metadata=request.metadata,
                requested_at=request.requested_at,
                position=Position(topic=topic, partition=partition, offset=offset),
                audio=_AUDIO,
                text=request.text or "",
                voice=request.voice or "",
                engine=Engine(name="none", revision="1", seed=1),
                timings=Timings(queued=0.0, synthesis=0.0, durable=0.0),
                completed_at=request.requested_at,
            )
        )
