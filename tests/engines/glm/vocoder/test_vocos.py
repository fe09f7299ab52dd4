"""Vocos at 32 kHz: a program of the checkpoint's, run only if it is the very one that the configuration vouches for."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.vocoder.vocos import Vocos
from streamer.errors import CheckpointError, EngineError
from tests.engines.glm.golden import TINY, arrays

CPU = torch.device("cpu")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def mel() -> Tensor:
    return torch.from_numpy(arrays("vocoder")["vocos.mel"])[None]


@pytest.fixture(scope="module")
def vocos() -> Vocos:
    return Vocos.open(TINY, sha256(TINY.vocos), CPU)


def written(folder: Path, program: Callable[[Tensor], object]) -> Layout:
    """A checkpoint whose script is this one."""
    layout = Layout(folder)
    layout.vocos.parent.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(program, torch.zeros(2, 3, 80)).save(str(layout.vocos))  # type: ignore[no-untyped-call]
    return layout


def test_the_wave_is_the_references(vocos: Vocos) -> None:
    """Reached on one machine: 3e-8."""
    np.testing.assert_allclose(vocos(mel())[0], arrays("vocoder")["vocos.wav"], atol=1e-4, rtol=0)


def test_bits_do_not_depend_on_neighbours_place_or_what_ran_before(vocos: Vocos) -> None:
    own = mel()
    others = torch.randn(4, 80, own.shape[2], generator=torch.Generator().manual_seed(0))
    first = vocos(torch.cat([own, torch.zeros(3, 80, own.shape[2])]))[0]
    for place in range(4):
        batch = others.clone()
        batch[place] = own[0]
        assert torch.equal(vocos(batch)[place], first)


def test_a_single_frame_is_spoken_twice(vocos: Vocos) -> None:
    single = mel()[:, :, :1]
    wave = vocos(single)
    assert wave.shape == (1, 2 * vocos.hop)
    assert torch.equal(wave, vocos(single.repeat(1, 1, 2)))


@pytest.mark.parametrize("frames", [2, 3, 77])
def test_a_frame_is_640_samples(vocos: Vocos, frames: int) -> None:
    assert vocos(mel()[:, :, :frames]).shape == (1, 640 * frames)


@pytest.mark.parametrize("stated", ["", "  ", "0" * 64, "no digest"])
def test_a_program_that_nobody_vouched_for_is_not_loaded(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.jit, "load", lambda *arguments, **options: pytest.fail("it was loaded"))
    with pytest.raises(CheckpointError) as raised:
        Vocos.open(TINY, stated, CPU)
    assert f'vocos_sha256 = "{sha256(TINY.vocos)}"' in str(raised.value)
    assert str(TINY.vocos) in str(raised.value)


def test_a_digest_may_be_in_capitals() -> None:
    assert Vocos.open(TINY, f" {sha256(TINY.vocos).upper()}\n", CPU)(mel()).shape == (1, 640 * 80)


def test_what_was_hashed_is_what_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes the file between the two changes nothing."""
    layout = written(tmp_path, lambda x: x.repeat(1, 1, 8).flatten(1))
    stated = sha256(layout.vocos)
    real = hashlib.sha256

    def changing(content: bytes) -> object:
        layout.vocos.write_bytes(b"another program")
        return real(content)

    monkeypatch.setattr(hashlib, "sha256", changing)
    assert Vocos.open(layout, stated, CPU)(mel()).shape == (1, 640 * 80)


def test_a_missing_file_and_one_that_is_no_script_are_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(CheckpointError, match=r"generator_jit\.ckpt is missing"):
        Vocos.open(layout, "", CPU)
    layout.vocos.parent.mkdir()
    layout.vocos.write_bytes(TINY.vocos.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is no TorchScript"):
        Vocos.open(layout, sha256(layout.vocos), CPU)


def test_a_channel_dimension_is_dropped_and_another_length_is_an_error(tmp_path: Path) -> None:
    layout = written(tmp_path, lambda x: x.repeat(1, 1, 8).flatten(1)[:, None])
    assert Vocos.open(layout, sha256(layout.vocos), CPU)(mel()).shape == (1, 640 * 80)
    layout = written(tmp_path, lambda x: x.repeat(1, 1, 8).flatten(1)[:, 1:])
    with pytest.raises(EngineError, match=r"made \(1, 51199\) of a mel \(1, 80, 80\), expected is \(1, 51200\)"):
        Vocos.open(layout, sha256(layout.vocos), CPU)(mel())
    layout = written(tmp_path, lambda x: (x, x))
    with pytest.raises(EngineError, match="made tuple of a mel"):
        Vocos.open(layout, sha256(layout.vocos), CPU)(mel())
