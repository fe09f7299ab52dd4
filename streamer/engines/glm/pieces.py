"""What an utterance is made of on its way through the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamer.engines.base import Ticket, Utterance

if TYPE_CHECKING:
    from streamer.engines.glm.draws import Draws
    from streamer.engines.glm.llm.history import History
    from streamer.engines.glm.text.segment import Segment
    from streamer.engines.glm.voice.encoder import EncodedVoice

Wave = NDArray[np.float32]


class Job:
    """One utterance. Its segments go through the LLM one after the other, for each is prompted by those before it;
    what follows the LLM is done for each as soon as it can be."""

    __slots__ = ("history", "revision", "segments", "ticket", "utterance", "voice", "waves")

    def __init__(self, ticket: Ticket, utterance: Utterance) -> None:
        self.ticket = ticket
        self.utterance = utterance
        self.revision = ""
        """The engine's, when its text was cut."""
        self.segments: list[Segment] = []
        self.voice: EncodedVoice | None = None
        self.history: History | None = None
        self.waves: dict[int, Wave] = {}
        """Of the segments that are done, by their index."""

    @property
    def prompt_tokens(self) -> int:
        """Speech tokens of its voice's prompt."""
        return 0 if self.voice is None else len(self.voice.speech_tokens)

    @property
    def done(self) -> bool:
        return len(self.waves) == len(self.segments)


class Piece:
    """One segment of a job. `tokens` are there after the LLM, `mel` ([80, frames], on the device) after the flow."""

    __slots__ = ("draws", "index", "job", "mel", "tokens", "trouble")

    def __init__(self, job: Job, index: int, draws: Draws) -> None:
        self.job = job
        self.index = index
        self.draws = draws
        self.tokens: list[int] = []
        self.mel: object = None
        self.trouble = ""
        """Why it ended without what the stage makes, if it did: its utterance's failure."""

    @property
    def place(self) -> tuple[int, int]:
        """Its place in every queue: older utterances first, and within one the earlier segments."""
        return self.job.ticket, self.index
