"""What the engine and its child processes say to each other: MessagePack behind a length of 4 bytes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

_HEAD = 4


class Speak(msgspec.Struct, frozen=True, tag=True):
    """To the child: one utterance."""

    text: str
    rate: int
    pitch: int
    volume: int


class Hello(msgspec.Struct, frozen=True, tag=True):
    """From the child: it can speak. `sample_rate` in Hz."""

    version: str
    sample_rate: int


class Part(msgspec.Struct, frozen=True, tag=True):
    """From the child: the next samples of the utterance, int16 in native order."""

    pcm: bytes


class Done(msgspec.Struct, frozen=True, tag=True):
    """From the child: the utterance is complete, or will not be, and `trouble` says why."""

    trouble: str = ""


Frame = Speak | Hello | Part | Done

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def pack(frame: Frame) -> bytes:
    body = _ENCODER.encode(frame)
    return len(body).to_bytes(_HEAD, "little") + body


class Unpacker:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. Errors: msgspec.DecodeError for what is no frame."""
        self._bytes += data
        while len(self._bytes) >= _HEAD:
            end = _HEAD + int.from_bytes(self._bytes[:_HEAD], "little")
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_HEAD:end])
            del self._bytes[:end]
            yield _DECODER.decode(body)
