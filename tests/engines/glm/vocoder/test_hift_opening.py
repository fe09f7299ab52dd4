"""Weights are taken whole or not at all, and what is wrong with them is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tensors import fill, read_pickled
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.sizes import HiftSizes, sizes_of
from streamer.engines.glm.vocoder.weight_norm import folded
from streamer.errors import CheckpointError
from tests.engines.glm.golden import FOLDER, TINY
from tests.engines.glm.vocoder.rows import row, vocode

OFFICIAL_PARAMETERS = 20_821_295
FILE = Path("hift.pt")


def test_the_official_sizes_are_read_from_their_shapes_and_run() -> None:
    shapes = json.loads((FOLDER / "shapes" / "shapes_hift.json").read_text(encoding="utf-8"))
    generator = torch.Generator().manual_seed(0)
    tensors = {name: 0.05 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    assert sum(value.numel() for value in tensors.values()) == OFFICIAL_PARAMETERS
    weights = folded(tensors, FILE)
    sizes = sizes_of(weights, FILE)
    assert sizes == HiftSizes(
        mels=80,
        harmonics=9,
        transform=16,
        channels=(512, 256, 128, 64),
        before=7,
        after=7,
        ups=(16, 11, 7),
        source_downs=(30, 6, 1),
        source_blocks=(7, 7, 11),
        blocks=(3, 7, 11),
        f0_channels=512,
        f0=(3, 3, 3, 3, 3),
    )
    with torch.device("meta"):
        hift = Hift(sizes)  # without memory, for who only wants to look
    assert {name: value.shape for name, value in hift.state_dict().items()} == {
        name: value.shape for name, value in weights.items()
    }
    hift = Hift(sizes)
    fill(hift, weights, FILE)
    lengths = sum(value.numel() for name, value in tensors.items() if name.endswith("original0"))
    assert sum(each.numel() for each in hift.parameters()) == OFFICIAL_PARAMETERS - lengths
    with torch.inference_mode():
        assert vocode(hift, [row(hift, 1, 0)], 2).isfinite().all()


def test_weights_are_length_times_direction() -> None:
    """Against torch's own, over the first dimension, also of a transposed convolution."""
    generator = torch.Generator().manual_seed(3)
    for module in (torch.nn.Conv1d(3, 5, 7), torch.nn.ConvTranspose1d(6, 2, 4)):
        normed = torch.nn.utils.parametrizations.weight_norm(module)
        for value in normed.parameters():
            value.data = torch.randn(value.shape, generator=generator)
        weight = folded({f"x.{name}": value for name, value in normed.state_dict().items()}, FILE)["x.weight"]
        torch.testing.assert_close(weight, normed.weight.detach(), rtol=1e-6, atol=1e-7)


def shortened(tensors: dict[str, Tensor]) -> None:
    tensors["resblocks.4.convs2.1.bias"] = tensors["resblocks.4.convs2.1.bias"][:-1]


def renamed(tensors: dict[str, Tensor]) -> None:
    tensors["discriminator.weight"] = tensors.pop("conv_post.bias")


def unfinite(tensors: dict[str, Tensor]) -> None:
    tensors["source_downs.0.bias"] = tensors["source_downs.0.bias"] * float("nan")


def scalar(tensors: dict[str, Tensor]) -> None:
    tensors["conv_pre.parametrizations.weight.original1"] = torch.tensor(1.0)


def without_direction(tensors: dict[str, Tensor]) -> None:
    tensors["ups.1.parametrizations.weight.original1"] = torch.zeros(16, 8, 11)


def other_taps(tensors: dict[str, Tensor]) -> None:
    tensors["ups.2.parametrizations.weight.original1"] = torch.ones(8, 4, 8)


def without_stage(tensors: dict[str, Tensor]) -> None:
    for name in [name for name in tensors if name.startswith("ups.2.")]:
        del tensors[name]


def without(name: str) -> Callable[[dict[str, Tensor]], None]:
    def spoil(tensors: dict[str, Tensor]) -> None:
        del tensors[name]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (shortened, "resblocks.4.convs2.1.bias has the shape"),
        (renamed, "discriminator.weight belongs to no part"),
        (unfinite, "source_downs.0.bias holds"),
        (scalar, "conv_pre.parametrizations.weight.original0 has the shape"),
        (without_direction, "ups.1.parametrizations.weight.original1 has a row without a direction"),
        (other_taps, "ups.2.weight has 8 taps"),
        (without_stage, "ups.2.weight is missing"),
        (
            without("conv_pre.parametrizations.weight.original0"),
            "conv_pre.parametrizations.weight.original0 is missing",
        ),
        (
            without("conv_pre.parametrizations.weight.original1"),
            "conv_pre.parametrizations.weight.original1 is missing",
        ),
        (without("f0_predictor.classifier.weight"), "f0_predictor.classifier.weight is missing"),
        (without("source_resblocks.2.activations1.2.alpha"), "source_resblocks.2.activations1.2.alpha is missing"),
        (without("m_source.l_linear.weight"), "m_source.l_linear.weight is missing"),
    ],
)
def test_spoiled_weights_are_named(tmp_path: Path, spoil: Callable[[dict[str, Tensor]], None], named: str) -> None:
    layout = Layout(tmp_path)
    tensors = read_pickled(TINY.hift)
    spoil(tensors)
    layout.hift.parent.mkdir()
    torch.save(tensors, layout.hift)
    with pytest.raises(CheckpointError) as raised:
        Hift.open(layout, torch.device("cpu"))
    assert str(layout.hift) in str(raised.value)
    assert named in str(raised.value)


def test_every_tensor_is_needed() -> None:
    tensors = read_pickled(TINY.hift)
    # One of each kind: the stages and blocks are alike.
    for name in [name for name in tensors if ".1." not in name and ".2." not in name][::6]:
        with pytest.raises(CheckpointError, match=r"missing|expected"):
            weights = folded({key: value for key, value in tensors.items() if key != name}, FILE)
            with torch.device("meta"):
                hift = Hift(sizes_of(weights, FILE))
            fill(hift, weights, FILE)
