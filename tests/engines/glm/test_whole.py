"""Whole runs against the public reference: from a text and a prompt to samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamer.engines.base import Speech
from streamer.engines.glm.pieces import Piece
from tests.engines.contract import finish
from tests.engines.glm.golden import arrays, document
from tests.engines.glm.speaking import open_here, utterance

WHOLE = arrays("whole")
_WAVE = 4
"""Of 32,767: what the tolerance of a sample, 1e-4, is in the file."""


@pytest.mark.parametrize("case", document("whole"), ids=lambda case: str(case["tag"]))
def test_a_whole_run_equals_the_reference(case: dict[str, Any], glm_cache: Path) -> None:
    tag = case["tag"]
    engine = open_here(glm_cache, draws="reference", use_cache=case["use_cache"])
    spoken, mels = [], []
    add = engine.parts.vocoder.add

    def overhear(piece: Piece) -> None:
        assert isinstance(piece.mel, torch.Tensor)
        spoken.append((piece.index, piece.tokens))
        mels.append((piece.index, piece.mel.numpy().copy()))
        add(piece)

    engine.parts.vocoder.add = overhear  # type: ignore[method-assign]
    ticket = engine.submit(utterance(case["text"], case["seed"], phoneme=case["use_phoneme"]))
    report = finish(engine, 1)[ticket]
    assert isinstance(report, Speech), report
    tokens = [tokens for _, tokens in sorted(spoken)]
    assert tokens == [WHOLE[f"{tag}.{index}.out"].tolist() for index in range(len(case["calls"]))]
    mel = np.concatenate([mel for _, mel in sorted(mels, key=lambda one: one[0])], axis=1)
    assert mel.shape == (80, case["frames"])
    np.testing.assert_allclose(mel[:, :100], WHOLE[f"{tag}.mel_first100"], atol=1e-4)
    np.testing.assert_allclose(mel.mean(axis=1), WHOLE[f"{tag}.mel_mean_per_bin"], atol=1e-4)
    assert len(report.samples) == case["samples"]
    golden = WHOLE[f"{tag}.wav_int16"].astype(np.int32)
    assert np.abs(report.samples[: len(golden)].astype(np.int32) - golden).max() <= _WAVE
