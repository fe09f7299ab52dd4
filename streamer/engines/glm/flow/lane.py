"""Rows that are computed in one batch, from noise to mel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob, batch_of
from streamer.engines.glm.flow.time_step import moments
from streamer.errors import EngineError


class Lane:
    """Jobs that passed `check`, at most `rows` of at most `bucket` frames each; the rest of the rows are empty.

    Every step computes twice `rows` rows: each with its prompt and speaker, and each without (classifier-free
    guidance). What the other rows hold never reaches a row.
    """

    @torch.inference_mode()
    def __init__(self, flow: Flow, jobs: Sequence[FlowJob], rows: int, bucket: int, steps: int) -> None:
        batch = batch_of(jobs, rows, bucket, flow.config)
        self._jobs = [(job.frames, len(job.prompt_mel)) for job in jobs]
        self._estimator, device = flow.estimator, flow.device
        self._rate = flow.config.inference_cfg_rate
        times = moments(steps)
        self._lengths = (times[1:] - times[:-1]).tolist()
        speaker = torch.cat((batch.speaker, torch.zeros_like(batch.speaker)))
        self._adaptations = self._estimator.adaptations(times[:-1].to(device), speaker.to(device))
        tokens, lengths, condition = (part.to(device) for part in (batch.tokens, batch.lengths, batch.condition))
        self._given = self._estimator.given(tokens, lengths, condition)
        self._state = batch.noise.to(device)
        self._step = 0

    @property
    def finished(self) -> bool:
        return self._step == len(self._lengths)

    @torch.inference_mode()
    def advance(self) -> None:
        """One Euler step. Does nothing once finished."""
        if self.finished:
            return
        adaptations = [every[self._step] for every in self._adaptations]
        both = self._estimator(torch.cat((self._state, self._state)), adaptations, self._given)
        guided, free = both.chunk(2)
        velocity = (1 + self._rate) * guided - self._rate * free
        # After a row's end the state stays zero, so that nothing there grows from step to step.
        mask = self._given.mask[: len(self._state)]
        self._state = self._state + self._lengths[self._step] * velocity * mask
        self._step += 1

    def mels(self) -> list[Tensor]:
        """Of each job [mel, F - T] float32 on the flow's device: what comes after the prompt's T frames, if anything.

        Errors: EngineError before the last step.
        """
        if not self.finished:
            raise EngineError(f"the flow has made {self._step} of its {len(self._lengths)} steps")
        return [
            self._state[row, prompt : max(prompt, frames)].T.contiguous()
            for row, (frames, prompt) in enumerate(self._jobs)
        ]
