"""Mel → samples: one batch of one bucket a step.

On a GPU a batch is launched, and its samples are taken when they have come to the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from streamer.engines.base import Ticket
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.precision import tensor_float
from streamer.engines.glm.queues import Queue
from streamer.engines.glm.shapes import batch_rows
from streamer.engines.glm.stages.vocoders import Vocoder, mel_of
from streamer.engines.glm.transfers import Arrival, Side

_UNDER_WAY = 2
"""Batches that may be: while the host looks at one, the device has the next."""


class _Flight(NamedTuple):
    pieces: list[Piece]
    lengths: list[int]
    """Samples of each."""
    waves: Arrival


class VocoderStage:
    def __init__(self, vocoder: Vocoder, rows: int, side: Side, *, tensor_float: bool = False) -> None:
        """`rows`: of every batch, of long pieces fewer. `side`: the stream on which mels are made, too."""
        self._vocoder, self._rows, self._side, self._tensor_float = vocoder, rows, side, tensor_float
        self._waiting = Queue(lambda piece: vocoder.bucket(mel_of(piece).shape[1]))
        self._working: list[Piece] = []
        self._flights: deque[_Flight] = deque()

    def prepare(self) -> None:
        """On a GPU: take the memory of every shape, and capture it."""
        with self._side(), tensor_float(self._tensor_float):
            self._vocoder.prepare(self._rows)

    def has_room(self) -> bool:
        """For the mels of another batch of the flow."""
        return not self._waiting and self._may_launch()

    @property
    def busy(self) -> bool:
        """The device computes a batch, or its samples are on their way."""
        return bool(self._flights)

    @property
    def working(self) -> Sequence[Piece]:
        return self._working

    def add(self, piece: Piece) -> None:
        self._waiting.add(piece)

    def step(self) -> Sequence[Piece]:
        if self._waiting and self._may_launch():
            with self._side(), tensor_float(self._tensor_float):
                self._launch()
        if not self._flights or not self._flights[0].waves.arrived:
            return ()
        return self._land(self._flights.popleft())

    def drop(self, ticket: Ticket) -> None:
        self._waiting.drop(ticket)
        self._working = [piece for piece in self._working if piece.job.ticket != ticket]

    def squeeze(self) -> None:
        for piece in self._working:
            self._waiting.add(piece)
        self._working = []

    def _may_launch(self) -> bool:
        return len(self._flights) < _UNDER_WAY

    def _launch(self) -> None:
        self._working, frames, rows = self._waiting.take(lambda frames: batch_rows(frames, self._rows))
        waves = self._vocoder.waves(self._working, rows, frames)
        lengths = [self._vocoder.samples(mel_of(piece).shape[1]) for piece in self._working]
        self._flights.append(_Flight(self._working, lengths, Arrival(waves)))
        self._working = []

    def _land(self, flight: _Flight) -> Sequence[Piece]:
        waves = flight.waves.take()
        for row, (piece, length) in enumerate(zip(flight.pieces, flight.lengths, strict=True)):
            piece.job.waves[piece.index] = waves[row, :length].numpy().copy()
            piece.mel = None
        return flight.pieces
