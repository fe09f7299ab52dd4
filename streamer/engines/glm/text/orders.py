"""What the engine asks of the text front end, and what it is told: by calls, or between two processes."""

from __future__ import annotations

from typing import Protocol

import msgspec

from streamer.engines.glm.text.segment import Segment


class Order(msgspec.Struct, frozen=True, tag=True):
    """One text, to be cut into segments."""

    ticket: int
    text: str
    phoneme: bool
    """Whether ambiguous characters are given by their pronunciation."""
    prompt: str
    """What is said in the prompt of its voice."""


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Nobody waits for that text any more."""

    ticket: int


class Cut(msgspec.Struct, frozen=True, tag=True):
    """An order is done."""

    ticket: int
    segments: list[Segment]
    """Empty: nothing in the text can be spoken."""
    prompt: list[int]
    """Ids of the prompt's text. Empty: nothing in that can be spoken."""
    version: str
    """Of the front end that cut it."""
    problems: tuple[str, ...]
    """What is wrong with its dictionary."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """An order cannot be done."""

    ticket: int
    message: str
    out_of_memory: bool = False


Answer = Cut | Refused


class Texts(Protocol):
    """Cuts texts, all that it has by turns, so that a long one does not hold up the others. Used from one thread."""

    @property
    def version(self) -> str:
        """Of the front end as it was when it was last heard of: TextFront.version."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the dictionary, `file:line: reason` each; the rest of it is in use."""

    def ask(self, order: Order) -> None:
        """Take it in. Tickets are never reused."""

    def answer(self, wait: float) -> Answer | None:
        """One that is done, after `wait` seconds at most, or a step of work. Errors: EngineGone, where no text will be
        cut any more."""

    def drop(self, ticket: int) -> None:
        """No answer comes to that order any more. Unknown ones are ignored."""

    def close(self) -> None: ...
