"""What an engine and its child processes say to each other: MessagePack behind a length of 4 bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

Frame = TypeVar("Frame", bound=msgspec.Struct)
_HEAD = 4
_ENCODER = msgspec.msgpack.Encoder()


def pack(frame: msgspec.Struct) -> bytes:
    body = _ENCODER.encode(frame)
    return len(body).to_bytes(_HEAD, "little") + body


def write(output: int, frame: msgspec.Struct) -> None:
    """All of it, to a file descriptor that blocks. Errors: OSError."""
    rest = memoryview(pack(frame))
    while rest:
        rest = rest[os.write(output, rest) :]


class Unpacker(Generic[Frame]):
    """Cuts a stream of bytes into frames."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Frame]) -> None:
        """`decoder`: of the tagged union of what may come."""
        self._decoder = decoder
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
            yield self._decoder.decode(body)
