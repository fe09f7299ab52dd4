"""Speech tokens → mel: a batch of one bucket advances by an Euler step at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from streamer.engines.base import Ticket
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.flow.run import FlowRun
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.precision import tensor_float
from streamer.engines.glm.queues import Queue
from streamer.engines.glm.shapes import bucket
from streamer.errors import EngineError


class FlowStage:
    def __init__(self, flow: Flow, rows: int, *, tensor_float: bool = False) -> None:
        """`rows`: of every batch, whatever waits; those that nobody needs stay empty."""
        self._flow, self._rows, self._tensor_float = flow, rows, tensor_float
        self._waiting = Queue(lambda piece: bucket(frames_of(_count(piece))))
        self._working: list[Piece] = []
        self._run: FlowRun | None = None
        self._dropped: set[Ticket] = set()  # of those in the batch under way

    @property
    def working(self) -> Sequence[Piece]:
        return self._working

    def add(self, piece: Piece) -> None:
        self._waiting.add(piece)

    def step(self) -> Sequence[Piece]:
        with tensor_float(self._tensor_float):
            return self._step()

    def _step(self) -> Sequence[Piece]:
        run = self._run or self._begin()
        if run is None or not run.advance():
            return ()
        for piece, mel in zip(self._working, run.mels(), strict=True):
            piece.mel = mel
        return self._end()

    def drop(self, ticket: Ticket) -> None:
        """One that shares a batch is computed on, for nobody."""
        self._waiting.drop(ticket)
        self._dropped.add(ticket)
        if all(piece.job.ticket in self._dropped for piece in self._working):
            self._end()

    def squeeze(self) -> None:
        for piece in self._wanted():
            self._waiting.add(piece)
        self._end()

    def _wanted(self) -> list[Piece]:
        return [piece for piece in self._working if piece.job.ticket not in self._dropped]

    def _end(self) -> list[Piece]:
        """Of the batch under way. Those of it that somebody waits for."""
        wanted = self._wanted()
        self._run, self._working, self._dropped = None, [], set()
        return wanted

    def _begin(self) -> FlowRun | None:
        if not self._waiting:
            return None
        self._working, frames = self._waiting.take(self._rows)
        self._run = FlowRun(self._flow, [self._job(piece) for piece in self._working], self._rows, frames)
        return self._run

    def _job(self, piece: Piece) -> FlowJob:
        """Always over the voice's own prompt, whatever the LLM was prompted with."""
        voice = piece.job.voice
        if voice is None:
            raise EngineError("a piece without a voice")
        tokens = torch.tensor([*voice.speech_tokens, *piece.tokens], dtype=torch.int64)
        noise = piece.draws.flow_noise(frames_of(len(tokens)))
        return FlowJob(tokens, torch.tensor(voice.mel), torch.tensor(voice.speaker), noise)


def _count(piece: Piece) -> int:
    """Speech tokens that the flow goes over, those of the prompt included."""
    return piece.job.prompt_tokens + len(piece.tokens)
