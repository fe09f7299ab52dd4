"""Weight normalization (Salimans and Kingma 2016): weight = g v / |v|, as a checkpoint keeps it, made one tensor."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.tensors import Tensors
from streamer.errors import CheckpointError

_MIDDLE = ".parametrizations."
_LENGTH, _DIRECTION = ".original0", ".original1"


def folded(tensors: Tensors, file: Path) -> dict[str, Tensor]:
    """The same weights in float32, each `x.parametrizations.weight.original0` (g) and `original1` (v) as `x.weight`.

    The norm is over all but the first dimension. Errors: CheckpointError that names file and tensor.
    """
    weights = {name: value.to(torch.float32) for name, value in tensors.items() if _MIDDLE not in name}
    for name, value in tensors.items():
        if _MIDDLE not in name or name.endswith(_LENGTH):
            continue
        stem = name.removesuffix(_DIRECTION)
        if stem == name:
            raise CheckpointError(f"{file}: tensor {name} belongs to no part of the model")
        length = tensors.get(stem + _LENGTH)
        if length is None:
            raise CheckpointError(f"{file}: tensor {stem + _LENGTH} is missing")
        weights[stem.replace(_MIDDLE, ".")] = _weight(length, value, file, stem)
    for name in tensors:
        if name.endswith(_LENGTH) and name.removesuffix(_LENGTH) + _DIRECTION not in tensors:
            raise CheckpointError(f"{file}: tensor {name.removesuffix(_LENGTH) + _DIRECTION} is missing")
    for name, value in weights.items():
        if not value.isfinite().all():
            raise CheckpointError(f"{file}: tensor {name} holds what is no finite number")
    return weights


def _weight(length: Tensor, direction: Tensor, file: Path, stem: str) -> Tensor:
    """In float64, rounded once."""
    expected = (len(direction), *[1] * (direction.dim() - 1)) if direction.dim() else ()
    if length.shape != expected or not direction.dim():
        raise CheckpointError(
            f"{file}: tensor {stem + _LENGTH} has the shape {tuple(length.shape)}, {stem + _DIRECTION} "
            f"({tuple(direction.shape)}) wants {expected}"
        )
    norm: Tensor = torch.linalg.vector_norm(direction.to(torch.float64).flatten(1), dim=1).reshape(expected)
    if not bool((norm > 0).all()):
        raise CheckpointError(f"{file}: tensor {stem + _DIRECTION} has a row without a direction")
    return (length.to(torch.float64) / norm * direction.to(torch.float64)).to(torch.float32)
