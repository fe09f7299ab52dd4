"""What the LLM is prompted with over the segments of one text: the voice's prompt, then what was spoken so far.

That carries the voice from segment to segment. When it becomes too long, the oldest segments are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MOST_SPEECH = 750
"""Speech tokens (30 seconds) that prompt and new segment may have together."""


class Prompt(NamedTuple):
    text: list[int]
    """Ids of the text tokens."""
    speech: list[int]
    """Speech tokens, counted from 0."""


class History:
    """Of one text. The prompt itself is never forgotten."""

    def __init__(self, text: Sequence[int], speech: Sequence[int]) -> None:
        """`text`: the prompt's ids; `speech`: its speech tokens."""
        self._spoken = [Prompt(list(text), list(speech))]

    def add(self, text: Sequence[int], speech: Sequence[int]) -> None:
        """A segment is done."""
        self._spoken.append(Prompt(list(text), list(speech)))

    def prompt(self, length: int) -> Prompt:
        """What comes before a segment of `length` text tokens. What is forgotten for it stays so.

        Its speech is expected to be as long for a text token as what is kept, and stays counted so while that shrinks.
        """
        spoken = self._spoken
        text, speech = sum(len(one.text) for one in spoken), sum(len(one.speech) for one in spoken)
        expected = int(speech / text * length) if text else 0
        while speech + expected > _MOST_SPEECH and len(spoken) > 1:
            speech -= len(spoken.pop(1).speech)
        return Prompt([id_ for one in spoken for id_ in one.text], [token for one in spoken for token in one.speech])
