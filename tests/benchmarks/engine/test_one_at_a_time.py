"""The way that streamer is measured against computes what the public reference does: it is no straw man."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.engine.plain.draws import Draws
from benchmarks.engine.plain.speaker import OneSegment, PlainSpeaker
from benchmarks.engine.shares import Shares
from streamer.engines.base import Speech
from tests.engines.contract import finish
from tests.engines.glm.golden import TINY, arrays, document
from tests.engines.glm.speaking import open_here, prompt, utterance

WHOLE = arrays("whole")
CASE = next(case for case in document("whole") if case["tag"] == "zh")
_WAVE = 4
"""Of 32,767: what the golden tolerance of a sample, 1e-4, is."""


@pytest.fixture(scope="module")
def plain(glm_cache: Path) -> PlainSpeaker:
    torch.set_num_threads(1)
    return PlainSpeaker(TINY, torch.device("cpu"), glm_cache, prompt("p24k"))


def test_it_speaks_as_the_reference(plain: PlainSpeaker) -> None:
    text = WHOLE["zh.0.text"].tolist()
    tokens = plain.tokens(text, Draws(CASE["seed"], torch.device("cpu")))
    assert tokens == WHOLE["zh.0.out"].tolist()
    shares = Shares()
    samples = plain.speak(CASE["text"], CASE["seed"], shares)
    assert len(samples) == CASE["samples"]
    golden = WHOLE["zh.wav_int16"].astype(np.int32)
    assert np.abs(samples[: len(golden)].astype(np.int32) - golden).max() <= _WAVE
    assert set(shares.seconds) == {"text and voice", "LLM", "flow", "vocoder"}


def test_it_speaks_as_the_engine_where_that_draws_alike(plain: PlainSpeaker, glm_cache: Path) -> None:
    engine = open_here(glm_cache, draws="reference")
    text, seed = "您好，您的包裹已经发出。", 7
    ticket = engine.submit(utterance(text, seed))
    report = finish(engine, 1)[ticket]
    assert isinstance(report, Speech), report
    samples = plain.speak(text, seed, Shares())
    assert len(samples) == len(report.samples)
    assert np.abs(samples.astype(np.int32) - report.samples).max() <= _WAVE


def test_it_refuses_what_is_no_single_segment(plain: PlainSpeaker) -> None:
    with pytest.raises(OneSegment, match="0 segments"):
        plain.speak("!", 0, Shares())
