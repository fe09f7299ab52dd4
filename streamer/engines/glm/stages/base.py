"""What every stage does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamer.engines.base import Ticket
from streamer.engines.glm.pieces import Piece


class Stage(Protocol):
    def add(self, piece: Piece) -> None:
        """Let it wait for this stage."""
        ...

    def step(self) -> Sequence[Piece]:
        """Advance once; the pieces that are done here. After an error nothing is lost: `working` says whose it was."""
        ...

    @property
    def working(self) -> Sequence[Piece]:
        """What the step under way is about, or the one that just raised; youngest last."""
        ...

    @property
    def busy(self) -> bool:
        """Something is under way that another step goes on with."""
        ...

    def drop(self, ticket: Ticket) -> None:
        """Forget the pieces of an utterance, waiting or under way."""
        ...

    def squeeze(self) -> None:
        """There was no memory for what was `working`: let it wait again, and admit less where that helps."""
        ...
