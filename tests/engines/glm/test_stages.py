"""The flow's stage with batches of two: what is dropped, what fails, and what is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.engines.base import Ticket
from streamer.engines.glm import shapes
from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.stages import flow
from streamer.engines.glm.stages.alike import check_alike
from streamer.engines.glm.stages.flow import FlowStage
from streamer.engines.glm.stages.vocoder import VocoderStage
from streamer.engines.glm.stages.vocoders import HiftVocoder, _HiftRoom, _HiftStore
from streamer.engines.glm.transfers import Arrival, Side
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.voice.encoder import EncodedVoice
from streamer.errors import ConfigurationError
from tests.engines.glm.golden import TINY
from tests.engines.glm.speaking import utterance

CPU = torch.device("cpu")


class Run:
    """Two steps a batch, or an error at each."""

    trouble: Exception | None = None
    begun = 0

    def __init__(self, flow: object, jobs: Sequence[FlowJob], rows: int, bucket: int, lanes: object) -> None:
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
    stage = FlowStage(cast(Any, SimpleNamespace(device=CPU)), 2, Side(CPU), lambda: True)
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


def test_on_a_gpu_all_steps_are_launched_at_once_if_the_vocoder_has_room(stage: FlowStage) -> None:
    room = [False, True]
    stage._at_once, stage._room = True, lambda: room.pop(0)
    assert stage.step() == ()
    assert [piece.job.ticket for piece in stage.step()] == [1, 2]


class Waves:
    """A vocoder that makes of each piece its ticket."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def bucket(self, frames: int) -> int:
        return frames

    def samples(self, frames: int) -> int:
        return 2 * frames

    def prepare(self, rows: int) -> None:
        """Nothing."""

    def waves(self, pieces: Sequence[Piece], rows: int, frames: int) -> Tensor:
        tickets = [piece.job.ticket for piece in pieces]
        self.batches.append([int(ticket) for ticket in tickets])
        return torch.tensor(tickets + [0] * (rows - len(tickets)), dtype=torch.float32)[:, None].expand(-1, 9)


def spoken(ticket: int, frames: int) -> Piece:
    piece = Piece(Job(Ticket(ticket), utterance("a")), 0, CounterDraws(0, 0))
    piece.mel = torch.zeros(80, frames)
    return piece


def test_samples_are_taken_when_they_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches are under way at most, and end in their order."""
    here: list[bool] = [False]
    monkeypatch.setattr(Arrival, "arrived", property(lambda arrival: here[0]))
    vocoder = Waves()
    stage = VocoderStage(vocoder, 2, Side(CPU))
    pieces = [spoken(ticket, 1 + ticket // 4) for ticket in range(1, 6)]
    for piece in pieces:
        stage.add(piece)
    assert [stage.step() for _ in range(4)] == [()] * 4
    assert vocoder.batches == [[1, 2], [3]]
    assert not stage.has_room()
    assert stage.busy
    here[0] = True
    assert [[piece.job.ticket for piece in stage.step()] for _ in range(4)] == [[1, 2], [3], [4, 5], []]
    assert [piece.job.waves[0].tolist() for piece in pieces] == [
        [ticket] * (2 * (1 + ticket // 4)) for ticket in range(1, 6)
    ]


def test_a_batch_without_memory_waits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder = Waves()
    stage = VocoderStage(vocoder, 2, Side(CPU))
    stage.add(spoken(1, 1))
    with monkeypatch.context() as patched:
        patched.setattr(vocoder, "waves", _no_memory)
        with pytest.raises(MemoryError):
            stage.step()
    assert [piece.job.ticket for piece in stage.working] == [1]
    stage.squeeze()
    assert [piece.job.ticket for piece in stage.step()] == [1]


def _no_memory(*_: object) -> Tensor:
    raise MemoryError


def test_rows_that_are_rounded_by_their_place_are_refused() -> None:
    wave = torch.linspace(-1, 1, 9)
    check_alike([wave, wave.clone()], "vocoder_rows")
    other = wave.clone()
    other[3] += torch.finfo(torch.float32).eps
    with pytest.raises(ConfigurationError, match=r"engine\.glm\.flow_rows of which a batch has 3"):
        check_alike([wave, wave, other], "flow_rows")


def test_a_gpus_batches_are_compared_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, whose batches are not one, as if it were a GPU: the check itself runs and finds them alike."""
    real = Flow.open(TINY, CPU)
    stage = FlowStage(real, 3, Side(CPU), lambda: True)
    stage._at_once = True
    monkeypatch.setattr(shapes, "buckets", lambda most: [32, 64])
    compared: list[int] = []
    monkeypatch.setattr(flow, "check_alike", lambda made, key: compared.append(len(made)))
    stage.prepare()
    assert compared == [3]
    vocoder = HiftVocoder(Hift.open(TINY, CPU))
    room = _HiftRoom(vocoder._hift, _HiftStore(vocoder._hift, 64, 2), 2, 32)
    check_alike(room.same_in_every_row(), "vocoder_rows")
