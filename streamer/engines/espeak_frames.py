"""What the engine espeak and its child processes say to each other."""

from __future__ import annotations

import msgspec


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


Said = Hello | Part | Done

TO_CHILD: msgspec.msgpack.Decoder[Speak] = msgspec.msgpack.Decoder(Speak)
FROM_CHILD: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
