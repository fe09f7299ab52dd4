from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from streamer.engines.glm.checkpoint.tensors import (
    Header,
    each_tensor,
    fill,
    flaw_of,
    headers,
    misfits,
    read_safetensors,
    weight_files,
)
from streamer.errors import CheckpointError

FILE = Path("here.pt")


def small() -> dict[str, Tensor]:
    return {"weight": torch.ones(3, 2), "bias": torch.full((3,), 2.0)}


def test_a_module_is_filled_in_its_own_precision() -> None:
    module = nn.Linear(2, 3)
    fill(module, {name: tensor.to(torch.bfloat16) for name, tensor in small().items()}, FILE)
    assert module.weight.dtype is torch.float32
    assert module.bias.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bias": None}, "here.pt: tensor bias is missing"),
        ({"scale": torch.ones(1)}, "here.pt: tensor scale belongs to no part of the model"),
        (
            {"bias": torch.ones(4)},
            "here.pt: tensor bias has the shape (4,), its configuration says (3,)",
        ),
        ({"bias": torch.ones(3, dtype=torch.int32)}, "here.pt: tensor bias has the dtype int32"),
        ({"bias": torch.tensor([0.0, float("nan"), 0.0])}, "here.pt: tensor bias holds numbers that are not finite"),
    ],
)
def test_a_module_is_filled_whole_or_not_at_all(change: dict[str, Tensor | None], expected: str) -> None:
    module = nn.Linear(2, 3)
    before = module.weight.clone()
    tensors = {name: tensor for name, tensor in {**small(), **change}.items() if tensor is not None}
    with pytest.raises(CheckpointError) as caught:
        fill(module, tensors, FILE)
    assert expected in str(caught.value)
    assert torch.equal(module.weight, before)


def test_buffers_of_whole_numbers_stay_what_they_are() -> None:
    module = nn.BatchNorm1d(2)
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state["num_batches_tracked"] += 5
    fill(module, state, FILE)
    assert module.num_batches_tracked == 5


@pytest.mark.parametrize(
    ("tensor", "flaw"),
    [
        (torch.ones(3), None),
        (torch.ones(0), None),
        (torch.ones(3, dtype=torch.bfloat16), None),
        (torch.ones(3, dtype=torch.float16), None),
        (torch.ones(3, dtype=torch.float64), None),
        (torch.full((4,), 3e38), None),  # their sum is not finite, they are
        (torch.tensor([float("inf"), float("-inf")]), "holds numbers that are not finite"),
        (torch.ones(3, dtype=torch.complex64), "has the dtype complex64, weights are floating-point numbers"),
        (torch.ones(3, dtype=torch.bool), "has the dtype bool, weights are floating-point numbers"),
        (torch.ones(3).to_sparse(), "is not stored densely"),
        (torch.ones(3, device="meta"), "is not stored densely"),
    ],
)
def test_what_may_be_weights(tensor: Tensor, flaw: str | None) -> None:
    assert flaw_of(tensor) == flaw


def test_tensors_are_read_one_by_one_and_their_headers_without_them(tmp_path: Path) -> None:
    safetensors.torch.save_file({**small(), "half": torch.ones(5).half()}, tmp_path / "model.safetensors")
    path = tmp_path / "model.safetensors"
    assert headers(tmp_path) == {
        "weight": Header((3, 2), "F32", path),
        "bias": Header((3,), "F32", path),
        "half": Header((5,), "F16", path),
    }
    assert {name for name, _ in each_tensor(tmp_path, lambda name: name != "half")} == {"weight", "bias"}
    assert read_safetensors(tmp_path, lambda name: name == "bias")["bias"].tolist() == [2.0, 2.0, 2.0]
    assert weight_files(tmp_path) == [path]


def test_misfits_name_the_file_of_a_header() -> None:
    found = {"a": Header((2,), "F32", Path("shard-1")), "b": Header((2,), "F32", Path("shard-2"))}
    assert misfits(Path("index"), found, {"a": (3,), "c": (1,)}) == [
        "index: tensor c is missing",
        "shard-1: tensor a has the shape (2,), its configuration says (3,)",
        "shard-2: tensor b belongs to no part of the model",
    ]
