"""The flow's stage with batches of two: what is dropped, what fails, and what is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.engines.base import Ticket
from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.stages import flow
from streamer.engines.glm.stages.flow import FlowStage
from streamer.engines.glm.voice.encoder import EncodedVoice
from tests.engines.glm.speaking import utterance


class Run:
    """Two steps a batch, or an error at each."""

    trouble: Exception | None = None
    begun = 0

    def __init__(self, flow: object, jobs: Sequence[FlowJob], rows: int, bucket: int) -> None:
        type(self).begun += 1
        self._jobs, self._steps = jobs, 0

    def advance(self) -> bool:
        if self.trouble is not None:
            raise self.trouble
        self._steps += 1
        return self._steps == 2

    def mels(self) -> list[Tensor]:
        return [torch.zeros(80, job.frames) for job in self._jobs]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> FlowStage:
    monkeypatch.setattr(Run, "begun", 0)
    monkeypatch.setattr(flow, "FlowRun", Run)
    stage = FlowStage(cast(Any, None), rows=2)
    for ticket in (1, 2, 3):
        job = Job(Ticket(ticket), utterance("a"))
        job.voice = EncodedVoice(np.arange(3), np.zeros(192, np.float32), np.zeros((6, 80), np.float32))
        piece = Piece(job, 0, CounterDraws(0, 0))
        piece.tokens = [1, 2]
        stage.add(piece)
    return stage


def run(stage: FlowStage, steps: int = 8) -> list[int]:
    return [piece.job.ticket for _ in range(steps) for piece in stage.step()]


def test_all_are_done_two_at_a_time(stage: FlowStage) -> None:
    assert run(stage) == [1, 2, 3]
    assert Run.begun == 2
    assert not stage.working


def test_one_that_is_dropped_lets_its_neighbour_finish(stage: FlowStage) -> None:
    stage.step()
    stage.drop(Ticket(1))
    assert run(stage) == [2, 3]


def test_a_batch_that_nobody_waits_for_ends_whoever_was_dropped_first(stage: FlowStage) -> None:
    stage.step()
    stage.drop(Ticket(1))
    stage.drop(Ticket(2))
    assert not stage.working
    assert run(stage, 2) == [3]


def test_a_batch_that_fails_does_not_come_back(stage: FlowStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.step()
    with monkeypatch.context() as patched:
        patched.setattr(Run, "trouble", ValueError("broken"))
        with pytest.raises(ValueError, match="broken"):
            stage.step()
        for piece in list(stage.working):
            stage.drop(piece.job.ticket)
    assert run(stage) == [3]


def test_what_had_no_memory_waits_again_but_for_who_was_dropped(stage: FlowStage) -> None:
    stage.step()
    stage.drop(Ticket(2))
    stage.squeeze()
    assert run(stage) == [1, 3]
