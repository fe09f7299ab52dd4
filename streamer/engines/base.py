"""The synthesizer interface: continuous batches of utterances.

Every engine passes tests/engines/contract.py.
"""

from __future__ import annotations

from typing import NewType, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.voices import Voice

Ticket = NewType("Ticket", int)
Samples = NDArray[np.int16]


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """One text to be spoken in one voice."""

    text: str
    voice: Voice
    seed: int
    phoneme: bool | None = None


class Speech(msgspec.Struct, frozen=True):
    """What was asked for. `samples`: shape (frames,), int16, mono, at the profile's sample rate."""

    ticket: Ticket
    samples: Samples


class Failure(msgspec.Struct, frozen=True):
    """One utterance that could not be spoken; its neighbours in the batch are unharmed."""

    ticket: Ticket
    message: str
    out_of_memory: bool = False
    """True: fewer rows at once may help; the attempt does not count against the utterance while it had neighbours."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says about itself."""

    name: str
    revision: str
    """Changes with whatever changes a byte of the audio."""
    sample_rate: int
    capacity: int
    """How much cost (estimated speech tokens) it takes at once."""
    step_limit: float
    """Seconds after which a single `step` counts as stuck."""


class Synthesizer(Protocol):
    """Used from one thread. Tickets are never reused. An exception from `step` fails all that was submitted."""

    @property
    def profile(self) -> Profile: ...

    def submit(self, utterance: Utterance) -> Ticket: ...

    def step(self) -> list[Speech | Failure]:
        """Advance every stage once; what finished. Returns soon when nothing did; never blocks over the step limit."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Forget an utterance; nothing is reported of it afterwards. Unknown tickets are ignored."""
        ...

    def close(self) -> None: ...


_TOKENS_PER_CHARACTER = 1.8
_TOKENS_PER_WIDE_BYTE = 2.1


def estimated_tokens(text: str) -> int:
    """Speech tokens (25 a second) a text is likely to need: 0.24 s an ideograph, 0.07 s a letter.

    Ideographs are told by their length in UTF-8, three bytes instead of one: scanning the text would cost more than
    the estimate is worth.
    """
    characters = len(text)
    wide = len(text.encode("utf-8", "replace")) - characters
    return 1 + int(characters * _TOKENS_PER_CHARACTER + wide * _TOKENS_PER_WIDE_BYTE)
