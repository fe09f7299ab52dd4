from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from streamer.engines.glm.voice.features import RATE
from streamer.engines.glm.voice.speaker import SIZE, SpeakerEncoder, fbank
from streamer.errors import CheckpointError
from tests.engines.glm.golden import TINY
from tests.engines.glm.voice.sounds import voiced


def wave(seconds: float) -> torch.Tensor:
    return torch.from_numpy(voiced(seconds, RATE)[:, 0].copy())


def test_the_mean_over_time_is_taken_off() -> None:
    features = fbank(wave(1.0))
    assert features.shape == (98, 80)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-4)


def test_the_same_vector_each_time(speaker: SpeakerEncoder) -> None:
    first = speaker.vector(wave(3.0))
    assert (first.shape, str(first.dtype)) == ((SIZE,), "float32")
    speaker.vector(wave(4.0) * 0.2)
    np.testing.assert_array_equal(speaker.vector(wave(3.0)), first)


@pytest.mark.parametrize("model", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"half"])
def test_no_model(model: bytes, tmp_path: Path) -> None:
    file = tmp_path / "campplus.onnx"
    half = TINY.speaker.read_bytes()
    file.write_bytes(half[: len(half) // 2] if model == b"half" else model)
    with pytest.raises(CheckpointError, match=r"campplus\.onnx: cannot be used as a speaker encoder"):
        SpeakerEncoder.open(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"campplus\.onnx is missing"):
        SpeakerEncoder.open(tmp_path / "campplus.onnx")
