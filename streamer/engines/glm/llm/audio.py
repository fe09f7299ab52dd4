"""The ids that may follow: speech tokens and the end. All other rows of the output matrix are never computed."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from streamer.errors import EngineError


class AudioTokens(Protocol):
    """Ids by what they mean, of the tokenizer's special tokens."""

    @property
    def end_of_audio(self) -> int: ...
    @property
    def audio_first(self) -> int: ...
    @property
    def audio_last(self) -> int: ...


class Columns(NamedTuple):
    """The logits' columns, in the order of the ids, for among equals the lowest id comes first."""

    ids: tuple[int, ...]
    """The id of each column."""
    end: int
    """The column of the end token."""
    audio: int
    """The column of the first speech token; the others follow."""


def columns_of(special: AudioTokens) -> Columns:
    """Errors: EngineError where the ids are not in an order that can be."""
    end, first, last = special.end_of_audio, special.audio_first, special.audio_last
    if not 0 <= first <= last or end < 0 or first <= end <= last:
        raise EngineError(f"speech tokens {first} to {last} and the end token {end} are no disjoint ids")
    audio = tuple(range(first, last + 1))
    if end < first:
        return Columns((end, *audio), 0, 1)
    return Columns((*audio, end), len(audio), 0)
