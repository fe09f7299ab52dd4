"""Speech tokens → mel: a batch of one bucket advances by an Euler step at a time.

On a GPU all steps of a batch are launched at once, and its mels are handed on before they are there: who reads them is
launched behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from streamer.engines.base import Ticket
from streamer.engines.glm.flow.config import SPEAKER
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import MOST_FRAMES, FlowJob
from streamer.engines.glm.flow.lane import Lanes
from streamer.engines.glm.flow.run import STEPS, FlowRun
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.precision import tensor_float
from streamer.engines.glm.queues import Queue
from streamer.engines.glm.shapes import batch_rows, batch_shapes, computed_length
from streamer.engines.glm.stages.alike import check_alike
from streamer.engines.glm.transfers import Side, sent
from streamer.errors import EngineError


class FlowStage:
    def __init__(
        self, flow: Flow, rows: int, side: Side, room: Callable[[], bool], *, tensor_float: bool = False
    ) -> None:
        """`rows`: of every batch, whatever waits (of long pieces fewer); those that nobody needs stay empty.

        `room`: whether what comes next has room for another batch.
        """
        self._flow, self._rows, self._tensor_float = flow, rows, tensor_float
        self._side, self._room = side, room
        self._at_once = flow.device.type == "cuda"
        self._lanes = Lanes(flow, STEPS)
        self._waiting = Queue(lambda piece: computed_length(frames_of(_count(piece)), flow.device))
        self._working: list[Piece] = []
        self._run: FlowRun | None = None
        self._dropped: set[Ticket] = set()  # of those in the batch under way

    def prepare(self) -> None:
        """On a GPU: take the memory of every shape, and capture it."""
        if self._at_once:
            with self._side(), tensor_float(self._tensor_float):
                shapes = batch_shapes(MOST_FRAMES, self._rows)
                for shape in shapes:
                    self._lanes.of(*shape)
                for rows, frames in dict(shapes).items():
                    self._compare(rows, frames)

    def _compare(self, rows: int, frames: int) -> None:
        """Errors: ConfigurationError where one and the same job is another mel in another row."""
        device, mels = self._flow.device, self._flow.config.mel_dim
        generator = torch.Generator().manual_seed(0)
        tokens = torch.randint(0, self._flow.config.vocab_size, (frames // 2,), generator=generator)
        count = frames_of(len(tokens))
        parts = (torch.randn(size, generator=generator) for size in ((count // 3, mels), (SPEAKER,), (count, mels)))
        prompt, speaker, noise = parts
        job = FlowJob(tokens, prompt, speaker, sent(noise, device))
        run = FlowRun(self._flow, [job] * rows, rows, frames, lanes=self._lanes)
        while not run.advance():
            pass
        check_alike(run.mels(), "flow_rows")

    @property
    def working(self) -> Sequence[Piece]:
        return self._working

    @property
    def busy(self) -> bool:
        return self._run is not None

    def add(self, piece: Piece) -> None:
        self._waiting.add(piece)

    def step(self) -> Sequence[Piece]:
        with self._side(), tensor_float(self._tensor_float):
            return self._step()

    def _step(self) -> Sequence[Piece]:
        run = self._run or self._begin()
        if run is None:
            return ()
        while not run.advance():
            if not self._at_once:
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
        if not self._waiting or not self._room():
            return None
        self._working, frames, rows = self._waiting.take(lambda frames: batch_rows(frames, self._rows))
        jobs = [self._job(piece) for piece in self._working]
        self._run = FlowRun(self._flow, jobs, rows, frames, lanes=self._lanes)
        return self._run

    def _job(self, piece: Piece) -> FlowJob:
        """Always over the voice's own prompt, whatever the LLM was prompted with."""
        voice = piece.job.voice
        if voice is None:
            raise EngineError("a piece without a voice")
        tokens = torch.tensor([*voice.speech_tokens, *piece.tokens], dtype=torch.int64)
        noise = sent(piece.draws.flow_noise(frames_of(len(tokens))), self._flow.device)
        return FlowJob(tokens, torch.tensor(voice.mel), torch.tensor(voice.speaker), noise)


def _count(piece: Piece) -> int:
    """Speech tokens that the flow goes over, those of the prompt included."""
    return piece.job.prompt_tokens + len(piece.tokens)
