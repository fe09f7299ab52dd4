"""What the engine and the process of its text front end say to each other, beside orders and answers."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamer.engines.glm.text.orders import Cut, Drop, Order, Refused


class Opening(msgspec.Struct, frozen=True):
    """What the front end is made of, as paths; `dictionary` empty: the shipped one."""

    checkpoint: str
    dictionary: str
    cache: str
    phoneme: bool
    """Whether its words are read before it says that it is ready."""
    code: str
    """Digest of this package, as the engine runs it. Installed anew meanwhile, it would cut under the old revision."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From the child: it can cut."""

    version: str
    problems: tuple[str, ...]


class Unfit(msgspec.Struct, frozen=True, tag=True):
    """From the child: it cannot be opened."""

    kind: Literal["configuration", "checkpoint", "engine", "import"]
    problems: tuple[str, ...]
    module: str | None = None
    """Of `import`: what is missing."""


class At(msgspec.Struct, frozen=True, tag=True):
    """From the child, before each step: whose text it works on."""

    ticket: int


Said = Ready | Unfit | At | Cut | Refused

TO_CHILD: msgspec.msgpack.Decoder[Order | Drop] = msgspec.msgpack.Decoder(Order | Drop)
FROM_CHILD: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
