"""Mel → samples: one batch of one bucket a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from streamer.engines.base import Ticket
from streamer.engines.glm.pieces import Piece, Wave
from streamer.engines.glm.precision import tensor_float
from streamer.engines.glm.queues import Queue
from streamer.engines.glm.shapes import bucket
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.vocos import Vocos
from streamer.errors import EngineError


class Vocoder(Protocol):
    """One of the two, with the shapes that it is computed in."""

    def bucket(self, frames: int) -> int: ...

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> list[Wave]:
        """The samples of each piece, -1 to 1; `frames`: the bucket of all of them."""
        ...


class VocoderStage:
    def __init__(self, vocoder: Vocoder, rows: int, *, tensor_float: bool = False) -> None:
        self._vocoder, self._rows, self._tensor_float = vocoder, rows, tensor_float
        self._waiting = Queue(lambda piece: vocoder.bucket(_mel(piece).shape[1]))
        self._working: list[Piece] = []

    @property
    def working(self) -> Sequence[Piece]:
        return self._working

    def add(self, piece: Piece) -> None:
        self._waiting.add(piece)

    def step(self) -> Sequence[Piece]:
        if not self._waiting:
            return ()
        self._working, frames = self._waiting.take(self._rows)
        with tensor_float(self._tensor_float):
            waves = self._vocoder.waves(self._working, self._rows, frames)
        for piece, wave in zip(self._working, waves, strict=True):
            piece.job.waves[piece.index] = wave
            piece.mel = None
        done, self._working = self._working, []
        return done

    def drop(self, ticket: Ticket) -> None:
        self._waiting.drop(ticket)

    def squeeze(self) -> None:
        for piece in self._working:
            self._waiting.add(piece)
        self._working = []


class HiftVocoder:
    """24 kHz; rows are padded to their bucket and masked."""

    def __init__(self, hift: Hift) -> None:
        self._hift = hift

    def bucket(self, frames: int) -> int:
        return bucket(frames)

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> list[Wave]:
        hift = self._hift
        mels = torch.zeros(rows, hift.mels, frames)
        lengths = torch.ones(rows, dtype=torch.int64)  # an empty row is one frame of silence
        phases = torch.zeros(rows, hift.harmonics)
        noise = torch.zeros(rows, hift.hop * frames, hift.harmonics)
        for row, piece in enumerate(pieces):
            mel = _mel(piece)
            length = mel.shape[1]
            mels[row, :, :length] = mel
            lengths[row] = length
            phases[row], noise[row, : hift.hop * length] = piece.draws.vocoder(length)
        waves = hift(*(each.to(hift.device) for each in (mels, lengths, phases, noise))).cpu()
        return [waves[row, : hift.hop * int(lengths[row])].numpy().copy() for row in range(len(pieces))]


class VocosVocoder:
    """32 kHz; a script cannot be told of padding, so that rows share a batch at equal lengths only."""

    def __init__(self, vocos: Vocos) -> None:
        self._vocos = vocos

    def bucket(self, frames: int) -> int:
        return frames

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> list[Wave]:
        mels = [_mel(piece) for piece in pieces]
        mels += [torch.zeros_like(mels[0])] * (rows - len(mels))
        waves = self._vocos(torch.stack(mels)).cpu()
        return [waves[row].numpy().copy() for row in range(len(pieces))]


def _mel(piece: Piece) -> Tensor:
    """Shape [80, frames]."""
    if not isinstance(piece.mel, Tensor):
        raise EngineError("a piece without a mel came to the vocoder")
    return piece.mel
