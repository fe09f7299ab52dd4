"""Rows that are computed in one batch, from noise to mel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from streamer.engines.glm.captured import Captured
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob, batch_of
from streamer.engines.glm.flow.time_step import moments
from streamer.engines.glm.transfers import sent
from streamer.errors import EngineError


class Lane:
    """Room for a batch of `rows` rows of `bucket` frames, which one after the other may take.

    Every Euler step computes twice `rows` rows: each with its prompt and speaker, and each without (classifier-free
    guidance). What the other rows hold never reaches a row. On a GPU a step is captured.
    """

    @torch.inference_mode()
    def __init__(self, flow: Flow, rows: int, bucket: int, steps: int, pool: Any = None) -> None:
        """`pool`: see `Captured`."""
        self._flow, self._rows, self._bucket = flow, rows, bucket
        self._estimator = flow.estimator
        self._rate = flow.config.inference_cfg_rate
        times = moments(steps)
        self._times = times[:-1].to(flow.device)
        self._lengths: list[float] = (times[1:] - times[:-1]).tolist()
        self._jobs: list[tuple[int, int]] = []
        self._step = steps
        self._state = torch.zeros(rows, bucket, flow.config.mel_dim, device=flow.device)
        self._given = self._estimator.room(2 * rows, bucket)
        self._adaptations: list[Tensor] = []
        self._now = self._estimator.moment_room(2 * rows)
        self._length = torch.zeros((), device=flow.device)
        self._move = Captured(self._euler, flow.device, pool)

    @torch.inference_mode()
    def load(self, jobs: Sequence[FlowJob]) -> None:
        """Jobs that passed `check`, at most `rows` of at most `bucket` frames each; the rest of the rows are empty."""
        batch = batch_of(jobs, self._rows, self._bucket, self._flow.config)
        self._jobs = [(job.frames, len(job.prompt_mel)) for job in jobs]
        self._adaptations = self._adapted(batch.speaker)
        device = self._flow.device
        tokens, lengths, condition = (sent(part, device) for part in (batch.tokens, batch.lengths, batch.condition))
        given = self._estimator.given(tokens, lengths, condition)
        for room, part in zip(self._given[:3], given[:3], strict=True):
            room.copy_(part)
        self._state.copy_(sent(batch.noise, device))
        self._step = 0

    @property
    def finished(self) -> bool:
        return self._step == len(self._lengths)

    @torch.inference_mode()
    def advance(self) -> None:
        """One Euler step. Does nothing once finished."""
        if self.finished:
            return
        torch._foreach_copy_(self._now, [every[self._step] for every in self._adaptations])
        self._length.fill_(self._lengths[self._step])
        self._move()
        self._step += 1

    def mels(self) -> list[Tensor]:
        """Of each job [mel, F - T] float32 on the flow's device: what comes after the prompt's T frames, if anything.

        Errors: EngineError before the last step.
        """
        if not self.finished:
            raise EngineError(f"the flow has made {self._step} of its {len(self._lengths)} steps")
        # Copies: the next batch takes the same room.
        return [
            self._state[row, prompt : max(prompt, frames)].T.clone(memory_format=torch.contiguous_format)
            for row, (frames, prompt) in enumerate(self._jobs)
        ]

    def _adapted(self, speaker: Tensor) -> list[Tensor]:
        both = torch.cat((speaker, torch.zeros_like(speaker)))
        return self._estimator.adaptations(self._times, sent(both, self._flow.device))

    def _euler(self) -> None:
        both = self._estimator(torch.cat((self._state, self._state)), self._now, self._given)
        guided, free = both.chunk(2)
        velocity = (1 + self._rate) * guided - self._rate * free
        # After a row's end the state stays zero, so that nothing there grows from step to step.
        self._state += self._length * velocity * self._given.mask[: self._rows]


class Lanes:
    """The lanes of one flow. On a GPU each is made once, at the beginning, and taken by one batch after the other; on
    a CPU memory is taken when it is needed."""

    def __init__(self, flow: Flow, steps: int) -> None:
        self._flow, self._steps = flow, steps
        self._kept: dict[tuple[int, int], Lane] = {}
        self._pool = torch.cuda.graph_pool_handle() if flow.device.type == "cuda" else None

    def of(self, rows: int, bucket: int) -> Lane:
        if self._pool is None:
            return Lane(self._flow, rows, bucket, self._steps)
        if (rows, bucket) not in self._kept:
            self._kept[rows, bucket] = Lane(self._flow, rows, bucket, self._steps, self._pool)
        return self._kept[rows, bucket]
