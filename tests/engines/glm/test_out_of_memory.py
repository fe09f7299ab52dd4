"""Memory that runs out in the middle: fewer rows are let in, and every launch keeps its shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from streamer.engines.base import Failure, Speech
from streamer.engines.glm.llm.step import DecodeStep
from streamer.engines.glm.synthesizer import GlmSynthesizer
from tests.engines.glm.speaking import open_here, utterance

ROWS = 4
TEXTS = ["好的。", "谢谢。", "你好。", "再见。", "早上。", "晚安。"]


class Short:
    """Stands before a step of the LLM: no memory once, when all rows are live; notes the rows of every launch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.launched: list[tuple[int, int]] = []
        """Rows of a launch, and how many of them were live."""
        self.failed = 0
        run = DecodeStep.run

        def short(step: DecodeStep, ids: Tensor, positions: Tensor) -> Tensor:
            live = int((positions >= 0).sum())
            self.launched.append((len(ids), live))
            if live == ROWS and not self.failed:
                self.failed = len(self.launched)
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run(step, ids, positions)

        monkeypatch.setattr(DecodeStep, "run", short)


def spoken(engine: GlmSynthesizer, texts: list[str]) -> dict[str, Speech | Failure]:
    tickets = {engine.submit(utterance(text)): text for text in texts}
    reports: dict[str, Speech | Failure] = {}
    while len(reports) < len(texts):
        reports |= {tickets[report.ticket]: report for report in engine.step()}
    return reports


def test_fewer_rows_are_let_in_and_the_launched_shape_stays(glm_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_here(glm_cache, rows=ROWS, positions=1024)
    calm = spoken(engine, TEXTS)
    short = Short(monkeypatch)
    pressed = spoken(engine, TEXTS)
    without = [text for text in TEXTS if isinstance(failure := pressed[text], Failure) and failure.out_of_memory]
    assert len(without) == ROWS // 2
    assert {rows for rows, _ in short.launched} == {ROWS}
    after = [live for _, live in short.launched[short.failed :]]
    assert after[0] == ROWS // 2
    for text in TEXTS:
        if text not in without:
            one, other = calm[text], pressed[text]
            assert isinstance(one, Speech)
            assert isinstance(other, Speech)
            assert one.samples.tobytes() == other.samples.tobytes()
    again = spoken(engine, without)
    assert [again[text].samples.tobytes() for text in without] == [calm[text].samples.tobytes() for text in without]  # type: ignore[union-attr]
