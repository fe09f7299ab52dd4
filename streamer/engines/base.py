"""The synthesizer interface: continuous batches of utterances.

Every engine passes tests/engines/contract.py.
"""

from __future__ import annotations

import hashlib
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
    source: str = ""
    """Whose it is, for an engine that shares itself among sources. It changes no byte of the audio."""


class Speech(msgspec.Struct, frozen=True):
    """What was asked for. `samples`: shape (frames,), int16, mono, at the profile's sample rate."""

    ticket: Ticket
    samples: Samples
    revision: str | None = None
    """The one that made it, of an engine whose revision may change while it runs; None: the profile's."""


class Failure(msgspec.Struct, frozen=True):
    """One utterance that could not be spoken; its neighbours in the batch are unharmed."""

    ticket: Ticket
    message: str
    out_of_memory: bool = False
    """True: fewer rows at once may help; the attempt does not count against the utterance while it had neighbours."""
    mute: bool = False
    """True: there is nothing in the text that this engine has a sound for; no further attempt makes one."""
    voice: bool = False
    """True: nothing can be cloned from the prompt of its voice; no further attempt helps, and the message says what
    is wrong with it."""


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that a text takes, as a sum over its characters."""

    ideograph: float
    letter: float
    """Latin ones, accented or not; of a word, or spelled."""
    digit: float
    pause: float
    """White space, and punctuation that is not read."""
    named: float
    """Everything else: signs, emoji and letters of scripts that may be read by their names."""
    constant: float = 0.0
    """Whatever the text."""


class SpeechBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Between what measures the speech of one engine lies when nothing went wrong (worker/verify.py measures).

    None or the default: not checked. Levels are shares of full scale, 0 to 1.
    """

    least_rms: float = 0.0
    """Root mean square of the whole: below, it is silent."""
    most_clipped: float = 1.0
    """Share of samples at full scale."""
    longest_clipped: int | None = None
    """Samples at full scale in a row."""
    longest_silence: float | None = None
    """Seconds that stay 40 dB or more below the peak, at the beginning, within or at the end."""
    most_alike: float | None = None
    """Correlation, 0 to 1, of six seconds of the speech's loudness with themselves some later: above, it loops. A text
    that repeats itself may."""
    shortest: Durations | None = None
    """Below, it was cut off."""
    longest: Durations | None = None
    """Above, it did not find its end."""
    words_per_minute: int | None = None
    """The voice's rate at which the durations hold; at others they scale. None: a voice's rate changes nothing."""

    def pace(self, voice: Voice) -> float:
        """By what to multiply the durations and pauses for a voice."""
        return 1.0 if self.words_per_minute is None else self.words_per_minute / voice.rate

    @property
    def hash(self) -> str:
        """Hex digest, for the recipe: which bounds a speech was found within."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says about itself."""

    name: str
    revision: str
    """Changes with whatever changes a byte of the audio. Of an engine that reads something anew while it runs, the
    one of now; its speech then says its own."""
    sample_rate: int
    capacity: int
    """How much cost (estimated speech tokens) it takes at once."""
    step_limit: float
    """Seconds after which a single `step` counts as stuck."""
    bounds: SpeechBounds | None = None
    """Within what its speech counts. None: it is not verified."""
    seeded: bool = True
    """Whether another seed makes another speech; if not, one that is rejected is not tried again."""
    clones: bool = False
    """Whether it speaks in the voice of a prompt: then each voice needs one, and a request may bring its own."""
    about: str = ""
    """What it runs on, for people: weights and device."""


class Synthesizer(Protocol):
    """Used from one thread. Tickets are never reused. An exception from `step` fails all that was submitted."""

    @property
    def profile(self) -> Profile: ...

    def submit(self, utterance: Utterance) -> Ticket: ...

    def step(self) -> list[Speech | Failure]:
        """Advance every stage once; what finished. Returns soon when nothing did; never blocks over the step limit.

        Errors: EngineGone, where nothing that is submitted would ever be spoken.
        """
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
