"""The two vocoders, with the shapes that they are computed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from streamer.engines.glm.captured import Captured
from streamer.engines.glm.flow.job import MOST_FRAMES
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.shapes import batch_shapes, computed_length
from streamer.engines.glm.stages.alike import check_alike
from streamer.engines.glm.transfers import sent
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.vocos import Vocos
from streamer.errors import EngineError


class Vocoder(Protocol):
    def bucket(self, frames: int) -> int:
        """In which length so many frames are computed; what shares a batch shares it."""
        ...

    def samples(self, frames: int) -> int:
        """That so many frames make."""
        ...

    def prepare(self, rows: int) -> None:
        """On a GPU: take the memory of every shape, and capture it."""
        ...

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> Tensor:
        """[rows or fewer, samples], -1 to 1, on the device: of each piece, then anything. Until the next call.

        `frames`: the bucket of all of them.
        """
        ...


class HiftVocoder:
    """24 kHz; rows are padded to their bucket and masked."""

    def __init__(self, hift: Hift) -> None:
        self._hift = hift
        self._rooms: dict[tuple[int, int], _HiftRoom] = {}

    def bucket(self, frames: int) -> int:
        return computed_length(frames, self._hift.device)

    def samples(self, frames: int) -> int:
        return self._hift.hop * frames

    @torch.inference_mode()
    def prepare(self, rows: int) -> None:
        if self._hift.device.type != "cuda":
            return
        # One batch follows another on one stream: all lengths share their memory.
        shapes = batch_shapes(MOST_FRAMES, rows)
        most = max(rows * frames for rows, frames in shapes)
        store = _HiftStore(self._hift, most, shapes[-1][0])
        pool = torch.cuda.graph_pool_handle()
        for shape in shapes:
            self._rooms[shape] = room = _HiftRoom(self._hift, store, *shape)
            room.compute = Captured(room.run, self._hift.device, pool)
        for rows_of_batch, frames in dict(shapes).items():
            check_alike(self._rooms[rows_of_batch, frames].same_in_every_row(), "vocoder_rows")

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> Tensor:
        room = self._rooms.get((rows, frames))
        if room is None:
            rows = len(pieces)  # on a CPU each is computed for itself, and so would be the empty rows
            room = _HiftRoom(self._hift, _HiftStore(self._hift, rows * frames, rows), rows, frames)
        room.load(pieces)
        room.compute()
        return room.waves


class _HiftStore:
    """Memory for what a batch of HiFT is given and makes."""

    def __init__(self, hift: Hift, frames: int, rows: int) -> None:
        """`frames`: of all rows together."""
        device, samples = hift.device, hift.hop * frames
        self.mels = torch.zeros(hift.mels * frames, device=device)
        self.lengths = torch.ones(rows, dtype=torch.int64, device=device)
        self.phases = torch.zeros(rows, hift.harmonics, device=device)
        self.noise = torch.zeros(hift.harmonics * samples, device=device)
        self.waves = torch.zeros(samples, device=device)


class _HiftRoom:
    """A batch of one shape. An empty row is one frame of silence."""

    def __init__(self, hift: Hift, store: _HiftStore, rows: int, frames: int) -> None:
        self._hift = hift
        samples = hift.hop * frames
        self._mels = store.mels[: rows * hift.mels * frames].view(rows, hift.mels, frames)
        self._noise = store.noise[: rows * samples * hift.harmonics].view(rows, samples, hift.harmonics)
        self._lengths, self._phases = store.lengths[:rows], store.phases[:rows]
        self.waves = store.waves[: rows * samples].view(rows, samples)
        self.compute: Captured = Captured(self.run, torch.device("cpu"))

    def load(self, pieces: Sequence[Piece]) -> None:
        lengths = torch.ones(len(self._lengths), dtype=torch.int64)
        # What another batch left beyond a row's end has no effect, but for what is no number.
        self._mels.zero_()
        self._noise.zero_()
        for row, piece in enumerate(pieces):
            mel = mel_of(piece)
            length = mel.shape[1]
            lengths[row] = length
            self._mels[row, :, :length] = mel
            phases, noise = piece.draws.vocoder(length)
            self._phases[row] = sent(phases, self._hift.device)
            self._noise[row, : self._hift.hop * length] = sent(noise, self._hift.device)
        self._lengths.copy_(sent(lengths, self._hift.device))

    def same_in_every_row(self) -> list[Tensor]:
        """What it makes of one and the same piece in every row."""
        generator = torch.Generator().manual_seed(0)
        for room in (self._mels, self._noise):
            room.copy_(torch.randn(room.shape[1:], generator=generator).expand(room.shape))
        self._phases.zero_()
        self._lengths.fill_(self._mels.shape[2])
        self.compute()
        return list(self.waves)

    def run(self) -> None:
        self.waves.copy_(self._hift(self._mels, self._lengths, self._phases, self._noise))


class VocosVocoder:
    """32 kHz; a script cannot be told of padding, so that rows share a batch at equal lengths only, and there are too
    many of those to capture them."""

    def __init__(self, vocos: Vocos) -> None:
        self._vocos = vocos

    def bucket(self, frames: int) -> int:
        return frames

    def samples(self, frames: int) -> int:
        return self._vocos.samples(frames)

    def prepare(self, rows: int) -> None:
        """Nothing."""

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> Tensor:
        mels = [mel_of(piece) for piece in pieces]
        mels += [torch.zeros_like(mels[0])] * (rows - len(mels))
        return self._vocos(torch.stack(mels))


def mel_of(piece: Piece) -> Tensor:
    """[80, frames]. Errors: EngineError where there is none yet."""
    if not isinstance(piece.mel, Tensor):
        raise EngineError("a piece without a mel came to the vocoder")
    return piece.mel
