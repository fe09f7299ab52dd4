"""Weights: read without running anything that is in the file, and put into a module whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from streamer.engines.glm.checkpoint.configs import read_table
from streamer.engines.glm.checkpoint.layout import present
from streamer.errors import CheckpointError

_AGAIN = "fetch it again with `streamer models pull`"

Tensors = Mapping[str, Tensor]


def read_safetensors(folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """The tensors of `model.safetensors`, or of the shards that `model.safetensors.index.json` names.

    Errors: CheckpointError that names the file.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = read_table(index).get("weight_map")
        if not isinstance(shards, dict):
            raise CheckpointError(f"{index}: has no weight_map; {_AGAIN}")
        paths = [folder / name for name in sorted(set(shards.values()))]
    else:
        paths = [folder / "model.safetensors"]
    tensors: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safe_open(present(path), framework="pt") as file:
                tensors |= {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read ({error}); {_AGAIN}") from error
    return tensors


def read_pickled(path: Path) -> dict[str, Tensor]:
    """The state dict of a `.pt` file, also from under its key "model". Weights only: no object of it is ever made.

    Errors: CheckpointError that names the file.
    """
    try:
        document = torch.load(present(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader meets in a spoiled file
        reason = str(error).strip().split("\n", 1)[0][:300]
        raise CheckpointError(f"{path}: cannot be read ({type(error).__name__}: {reason}); {_AGAIN}") from error
    if isinstance(document, dict) and isinstance(document.get("model"), dict):
        document = document["model"]
    if not isinstance(document, dict) or not all(isinstance(value, Tensor) for value in document.values()):
        raise CheckpointError(f"{path}: is no state dict; {_AGAIN}")
    return document


def fill(module: nn.Module, tensors: Tensors, file: Path) -> None:
    """Give the module exactly these weights, in its own dtype. Errors: CheckpointError that names file and tensor."""
    expected = module.state_dict()
    problems = [f"{file}: tensor {name} is missing" for name in expected if name not in tensors]
    problems += [f"{file}: tensor {name} belongs to no part of the model" for name in tensors if name not in expected]
    problems += [
        f"{file}: tensor {name} has the shape {tuple(tensors[name].shape)}, its configuration says {tuple(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if problems:
        more = f", and {len(problems) - 5} problems more" if len(problems) > 5 else ""
        raise CheckpointError("; ".join(problems[:5]) + more)
    module.load_state_dict(dict(tensors), strict=True)
