"""Who is next at each stage: older utterances first, earlier segments first; batches of one bucket only."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

from streamer.engines.base import Ticket
from streamer.engines.glm.pieces import Piece


class Queue:
    """Pieces that wait for a stage, oldest first."""

    def __init__(self, bucket: Callable[[Piece], int] = lambda piece: 0) -> None:
        """`bucket`: the length that the stage computes a piece in; what shares a batch shares it."""
        self._bucket = bucket
        self._pieces: list[Piece] = []

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, piece: Piece) -> None:
        insort(self._pieces, piece, key=lambda one: one.place)

    def take(self, rows_of: Callable[[int], int]) -> tuple[list[Piece], int, int]:
        """The oldest piece and the next ones of its bucket, as many as have room; that bucket and its rows. Not when
        empty. `rows_of`: the rows of a bucket's batch."""
        bucket = self._bucket(self._pieces[0])
        rows = rows_of(bucket)
        taken: list[Piece] = []
        left: list[Piece] = []
        for piece in self._pieces:
            fits = len(taken) < rows and self._bucket(piece) == bucket
            (taken if fits else left).append(piece)
        self._pieces = left
        return taken, bucket, rows

    def drop(self, ticket: Ticket) -> None:
        self._pieces = [piece for piece in self._pieces if piece.job.ticket != ticket]


class Room:
    """How many pieces may be in the LLM: fewer after it had no memory, one more again after each that went well.

    What is computed keeps its shape; only rows stay empty.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.admitted = rows

    def squeeze(self, live: int) -> None:
        """There was no memory for so many."""
        self.admitted = max(1, min(self.admitted, live) // 2)

    def went_well(self) -> None:
        self.admitted = min(self._rows, self.admitted + 1)
