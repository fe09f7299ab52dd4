"""Jobs for the flow: those of the golden arrays, and drawn ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.flow.lane import Lane
from streamer.engines.glm.flow.run import STEPS, FlowRun
from tests.engines.glm.golden import arrays

TOLERANCE = 5e-6
"""Between the golden arrays' torch and processor and this one's; 2.1e-6 was measured."""


def golden(name: str) -> Tensor:
    """An array of flow.npz, by "case.key"."""
    return torch.from_numpy(arrays("flow")[name])


def golden_job(case: str) -> FlowJob:
    tokens = torch.cat((golden(f"{case}.prompt_token").long(), golden(f"{case}.token")))
    return FlowJob(tokens, golden(f"{case}.prompt_feat"), golden(f"{case}.embedding"), golden(f"{case}.noise"))


def drawn_job(tokens: int, prompt: int, seed: int = 0) -> FlowJob:
    """So many tokens, and a prompt of so many frames, of the tiny checkpoint's sizes."""
    generator = torch.Generator().manual_seed(seed)
    return FlowJob(
        torch.randint(0, 32768, (tokens,), generator=generator),
        torch.randn(prompt, 80, generator=generator) - 5,
        torch.randn(192, generator=generator),
        torch.randn(frames_of(tokens), 80, generator=generator),
    )


def together(flow: Flow, jobs: Sequence[FlowJob], rows: int, bucket: int, steps: int = STEPS) -> list[Tensor]:
    """In one batch, as on a GPU."""
    lane = Lane(flow, rows, bucket, steps)
    lane.load(jobs)
    while not lane.finished:
        lane.advance()
    return lane.mels()


def flowed(flow: Flow, jobs: Sequence[FlowJob], rows: int, bucket: int, steps: int = STEPS) -> list[Tensor]:
    run = FlowRun(flow, jobs, rows, bucket, steps)
    while not run.advance():
        pass
    return run.mels()
