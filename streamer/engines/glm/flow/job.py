"""One utterance to be flowed, and batches of them in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.flow.config import SPEAKER, FlowConfig
from streamer.engines.glm.flow.frames import frames_of, stretched
from streamer.errors import EngineError

MOST_FRAMES = 4096
"""Positions that the token embedding knows."""


class FlowJob(NamedTuple):
    """One utterance, on the CPU; its noise may be on the flow's device."""

    tokens: Tensor
    """[N] int64: the prompt's speech tokens, then the new ones."""
    prompt_mel: Tensor
    """[T, mel] float32: the prompt's mel. May have a frame or two more or less than the prompt's tokens make."""
    speaker: Tensor
    """[192] float32: the prompt's speaker vector, of any length."""
    noise: Tensor
    """[F, mel] float32, F = `frames_of(N)`: where the flow starts."""

    @property
    def frames(self) -> int:
        return frames_of(len(self.tokens))


class Batch(NamedTuple):
    """Jobs as rows of one shape: R rows, of which the last may be empty, F frames."""

    tokens: Tensor
    """[R, F] int64: the token of each frame."""
    lengths: Tensor
    """[R] int64: frames of each row. An empty row counts as one frame, so that its attention has something to see."""
    condition: Tensor
    """[R, F, mel] float32: the prompt's mel at the beginning, then zeros."""
    speaker: Tensor
    """[R, 192] float32, of length 1; zeros in empty rows."""
    noise: Tensor
    """[R, F, mel] float32, zeros after each row's end; where the jobs' noise is."""


def check(jobs: Sequence[FlowJob], rows: int, bucket: int, config: FlowConfig) -> None:
    """Whether they can be flowed. Errors: EngineError that names the job, by its place, and the numbers."""
    if len(jobs) > rows:
        raise EngineError(f"{len(jobs)} jobs do not fit a batch of {rows}")
    if bucket > MOST_FRAMES:
        raise EngineError(f"{bucket} frames are more than the {MOST_FRAMES} positions that the flow knows")
    for place, job in enumerate(jobs):
        if problem := _problem(job, bucket, config):
            raise EngineError(f"job {place} of the flow's batch: {problem}")


def batch_of(jobs: Sequence[FlowJob], rows: int, bucket: int, config: FlowConfig) -> Batch:
    """Jobs that passed `check`, in a shape that depends on `rows` and `bucket` alone."""
    batch = Batch(
        tokens=torch.zeros(rows, bucket, dtype=torch.int64),
        lengths=torch.ones(rows, dtype=torch.int64),
        condition=torch.zeros(rows, bucket, config.mel_dim),
        speaker=torch.zeros(rows, SPEAKER),
        noise=torch.zeros(rows, bucket, config.mel_dim, device=jobs[0].noise.device),
    )
    for row, job in enumerate(jobs):
        frames, prompt = job.frames, len(job.prompt_mel)
        kept = min(prompt, frames)
        batch.tokens[row, :frames] = stretched(job.tokens, frames)
        batch.lengths[row] = frames
        # A prompt that is longer than the whole shows its end, as in the public reference.
        batch.condition[row, :kept] = job.prompt_mel[prompt - kept :]
        batch.speaker[row] = torch.nn.functional.normalize(job.speaker, dim=0)
        batch.noise[row, :frames] = job.noise
    return batch


def _problem(job: FlowJob, bucket: int, config: FlowConfig) -> str:
    """What keeps a job from being flowed, or nothing."""
    if job.tokens.dim() != 1 or job.tokens.dtype != torch.int64 or not len(job.tokens):
        return f"its tokens have the shape {tuple(job.tokens.shape)} and are {job.tokens.dtype}, not some of int64"
    least, most = int(job.tokens.min()), int(job.tokens.max())
    # Out of the table is memory of others on a GPU, where it ends the process's whole context.
    if least < 0 or most > config.vocab_size:
        return f"its tokens lie between {least} and {most}, those of the flow between 0 and {config.vocab_size}"
    if job.frames > bucket:
        return f"{len(job.tokens)} tokens make {job.frames} frames, more than the bucket's {bucket}"
    mel = config.mel_dim
    shapes = {
        "prompt mel": (job.prompt_mel, (len(job.prompt_mel), mel)),
        "speaker vector": (job.speaker, (SPEAKER,)),
        "noise": (job.noise, (job.frames, mel)),
    }
    for name, (tensor, shape) in shapes.items():
        if tuple(tensor.shape) != shape:
            return f"its {name} has the shape {tuple(tensor.shape)}, expected is {shape}"
    return ""
