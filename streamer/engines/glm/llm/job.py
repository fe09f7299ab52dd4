"""What a row of the decoder is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamer.engines.glm.draws import Draws


class DecoderJob(NamedTuple):
    """One segment to be continued by speech tokens."""

    ids: Sequence[int]
    """The input: prompt text, text, begin of audio, prompt speech."""
    minimum: int
    """The end token cannot be drawn before so many speech tokens."""
    maximum: int
    """Speech tokens after which it ends in any case."""
    draws: Draws
