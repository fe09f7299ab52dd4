"""The same bits whatever shares the batch: logits and tokens of a row alone, among others, in every slot, in any order
of joining and after any other occupant of its slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from streamer.engines.glm.draws import CounterDraws, Draws, ReferenceDraws
from streamer.engines.glm.llm.choices import Choices
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import SAMPLINGS, Situation
from streamer.engines.glm.llm.step import DecodeStep
from tests.engines.glm.llm.models import BF16, FP32, SIZES, WIDE, same, seeded, some_ids

_ROWS = 4
_DTYPES = pytest.mark.parametrize("dtype", [FP32, BF16])
_SAMPLINGS = st.sampled_from(sorted(SAMPLINGS))


class Piece(NamedTuple):
    """What is to be spoken: as much as makes a difference."""

    length: int
    tokens: int
    seed: int = 0
    draws: Callable[[int], Draws] = ReferenceDraws

    @property
    def job(self) -> DecoderJob:
        return DecoderJob(some_ids(self.length, self.seed), self.tokens, self.tokens, self.draws(self.seed))


def _counter(seed: int) -> Draws:
    return CounterDraws(seed, 0)


class Spoken(NamedTuple):
    logits: list[Tensor]
    tokens: list[int]

    def equals(self, other: Spoken) -> bool:
        return self.tokens == other.tokens and same(self.logits, other.logits)


class Recorder:
    """A decoder whose logits are kept."""

    def __init__(self, model: Llama, sampling: str, rows: int = _ROWS, positions: int = 800) -> None:
        self._sampling = SAMPLINGS[sampling]
        self.decoder = Decoder(model, rows, positions, self._record)
        self._logits: dict[int, list[Tensor]] = {}

    def begin(self, piece: Piece) -> int:
        row = self.decoder.begin(piece.job)
        self._logits[row] = []
        return row

    def step(self) -> dict[int, Spoken]:
        ended = self.decoder.step().items()
        return {row: Spoken(self._logits.pop(row), tokens) for row, tokens in ended if tokens is not None}

    def run(self, piece: Piece) -> Spoken:
        row = self.begin(piece)
        while row not in (ended := self.step()):
            pass
        return ended[row]

    def _record(self, logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
        for row, kept in self._logits.items():
            if situation.live[row]:
                kept.append(logits[row].clone())
        return self._sampling(logits, situation, choices)


@cache
def _model(wide: bool, dtype: torch.dtype) -> Llama:
    return seeded(WIDE if wide else SIZES, dtype)


@cache
def _alone(dtype: torch.dtype, sampling: str, piece: Piece) -> Spoken:
    """In a decoder that held nothing before."""
    return Recorder(_model(False, dtype), sampling).run(piece)


_PIECES = st.builds(
    Piece,
    length=st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 258, 300, 520])),
    tokens=st.integers(1, 12),
    seed=st.integers(0, 3),
    draws=st.sampled_from([ReferenceDraws, _counter]),
)
_HISTORIES = st.lists(st.one_of(_PIECES, st.just("step"), st.integers(0, _ROWS - 1)), min_size=3, max_size=25)
"""Join; step; or drop whoever is in this row."""


@_DTYPES
@settings(max_examples=20)
@given(history=_HISTORIES, sampling=_SAMPLINGS)
def test_any_history(dtype: torch.dtype, history: list[Piece | str | int], sampling: str) -> None:
    recorder, rows = Recorder(_model(False, dtype), sampling), dict[int, Piece]()

    def step() -> None:
        for row, spoken in recorder.step().items():
            assert spoken.equals(_alone(dtype, sampling, rows.pop(row)))

    for event in history:
        if isinstance(event, Piece):
            while not recorder.decoder.free:
                step()
            rows[recorder.begin(event)] = event
        elif event == "step":
            step()
        elif event in rows:
            recorder.decoder.drop(event)
            del rows[event]
    while rows:
        step()


@_DTYPES
def test_every_slot(dtype: torch.dtype) -> None:
    piece = Piece(254, 6)
    for slot in range(_ROWS):
        recorder = Recorder(_model(False, dtype), "ras")
        others = [recorder.begin(Piece(20 + other, 30, other)) for other in range(slot)]
        row = recorder.begin(piece)
        assert row == slot
        for other in others[::2]:
            recorder.decoder.drop(other)
        while row not in (ended := recorder.step()):
            pass
        assert ended[row].equals(_alone(dtype, "ras", piece))


@_DTYPES
def test_a_layer_of_the_official_width(dtype: torch.dtype) -> None:
    """Its matrices are large enough for other kernels than the small model's."""
    # Without matrix instructions, inputs in bfloat16 take seconds; and an input is computed by itself in any case.
    short, long_one = (26, 270) if dtype == FP32 else (1, 1)
    piece, model = Piece(short, 5, 1, _counter), _model(True, dtype)
    alone = Recorder(model, "ras", 3, 300).run(piece)
    recorder = Recorder(model, "ras", 3, 300)
    long = recorder.begin(Piece(long_one, 11, 2))
    second = recorder.begin(piece)
    recorder.step()
    third = recorder.begin(piece)
    ended = dict[int, Spoken]()
    while not {second, third} <= ended.keys():
        ended |= recorder.step()
    recorder.decoder.drop(long)
    assert recorder.run(piece).equals(alone)
    assert ended[second].equals(alone)
    assert ended[third].equals(alone)


def test_a_prompt_is_computed_in_the_shape_of_its_own_length(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(False, FP32)
    shapes = _shapes(monkeypatch, model, "prefill")
    recorder = Recorder(model, "ras")
    for length in (2, 33, 34, 520):
        recorder.begin(Piece(length, 9))
    for _ in range(6):
        recorder.step()
    assert shapes == [(1,), (32,), (33,), (256,), (256,), (7,)]


def test_steps_are_computed_in_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(False, FP32)
    recorder = Recorder(model, "ras")
    shapes = _shapes(monkeypatch, recorder.decoder._step, "run")
    for piece in (Piece(5, 4), Piece(9, 2), Piece(7, 8)):
        recorder.begin(piece)
    while recorder.decoder.free < _ROWS:
        recorder.step()
    assert set(shapes) == {(_ROWS,)}


def _shapes(monkeypatch: pytest.MonkeyPatch, model: Llama | DecodeStep, method: str) -> list[tuple[int, ...]]:
    """Of the ids that it is called with from now on."""
    called: Callable[..., Tensor] = getattr(model, method)
    shapes: list[tuple[int, ...]] = []

    def record(ids: Tensor, *others: Any) -> Tensor:
        shapes.append(tuple(ids.shape))
        return called(ids, *others)

    monkeypatch.setattr(model, method, record)
    return shapes


def test_other_pieces_are_other_bits() -> None:
    """Or else none of this would say anything."""
    pieces: Sequence[Piece] = [Piece(20, 5), Piece(21, 5), Piece(20, 5, 1)]
    spoken = [_alone(FP32, "ras", piece) for piece in pieces]
    assert not any(one.equals(other) for one in spoken for other in spoken if one is not other)
    assert _alone(FP32, "ras", Piece(20, 5, 0, _counter)).tokens != spoken[0].tokens
