"""Weights: read without running anything that is in the file, and put into a module whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from streamer.engines.glm.checkpoint.configs import read_table
from streamer.engines.glm.checkpoint.layout import present
from streamer.errors import CheckpointError

_AGAIN = "fetch it again with `streamer models pull`"
_WEIGHTS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
_INDEX = "model.safetensors.index.json"
_SHOWN = 5

Tensors = Mapping[str, Tensor]


class Header(NamedTuple):
    """What a file says about one of its tensors. `dtype` as safetensors writes it: F32, BF16, I64, …"""

    shape: tuple[int, ...]
    dtype: str
    file: Path


def read_safetensors(folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
    """The tensors of `model.safetensors`, or of the shards that `model.safetensors.index.json` names.

    Errors: CheckpointError that names the file, and the tensor where it is one.
    """
    return dict(each_tensor(folder, wanted))


def each_tensor(folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[tuple[str, Tensor]]:
    """The same one by one, so that no more than one is in memory. Errors: as `read_safetensors`."""
    for path, names in _shards(folder).items():
        try:
            with safe_open(path, framework="pt") as file:
                for name in filter(wanted, names):
                    yield name, file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read ({error}); {_AGAIN}") from error


def headers(folder: Path) -> dict[str, Header]:
    """Shapes and dtypes, none of the data. Errors: as `read_safetensors`."""
    found: dict[str, Header] = {}
    for path, names in _shards(folder).items():
        try:
            with safe_open(path, framework="pt") as file:
                for name in names:
                    part = file.get_slice(name)
                    found[name] = Header(tuple(part.get_shape()), str(part.get_dtype()), path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read ({error}); {_AGAIN}") from error
    return found


def weights_file(folder: Path) -> Path:
    """The file that says which tensors there are: the index of shards, or the only one."""
    index = folder / _INDEX
    return index if index.is_file() else folder / "model.safetensors"


def weight_files(folder: Path) -> list[Path]:
    """That file, and those that hold the tensors. Errors: as `read_safetensors`."""
    return list(dict.fromkeys([weights_file(folder), *_shards(folder)]))


def _shards(folder: Path) -> dict[Path, list[str]]:
    """The files and which tensors are to be read from each."""
    index = weights_file(folder)
    if index.name != _INDEX:
        return {index: _names(present(index))}
    indexed = read_table(index).get("weight_map")
    if not isinstance(indexed, dict) or not indexed:
        raise CheckpointError(f"{index}: has no weight_map; {_AGAIN}")
    shards: dict[Path, list[str]] = {}
    for name, shard in indexed.items():
        if not isinstance(shard, str) or not shard or Path(shard).name != shard:
            raise CheckpointError(f"{index}: tensor {name} lies in {shard!r}, which is no file name; {_AGAIN}")
        shards.setdefault(folder / shard, []).append(name)
    for path, names in shards.items():
        if not path.is_file():
            raise CheckpointError(f"{path} is missing, and {index.name} names it for tensor {names[0]}; {_AGAIN}")
        held = set(_names(path))
        for name in names:
            if name not in held:
                raise CheckpointError(f"{path}: tensor {name} is missing, which {index.name} says is there; {_AGAIN}")
    return shards


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); {_AGAIN}") from error


def read_pickled(path: Path) -> dict[str, Tensor]:
    """The state dict of a `.pt` file, also from under its key "model". Weights only: no object of it is ever made.

    Its data is mapped where the format allows that, and read when it is used. Errors: CheckpointError that names the
    file.
    """
    archive = zipfile.is_zipfile(present(path))
    if archive and _is_torchscript(path):
        raise CheckpointError(f"{path}: is TorchScript, which is code; a state dict is expected here; {_AGAIN}")
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception as error:  # torch raises whatever its reader meets in a spoiled file
        reason = str(error).strip().split("\n", 1)[0][:300]
        raise CheckpointError(f"{path}: cannot be read ({type(error).__name__}: {reason}); {_AGAIN}") from error
    if isinstance(document, dict) and isinstance(document.get("model"), dict):
        document = document["model"]
    if (
        not isinstance(document, dict)
        or not document
        or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in document.items())
    ):
        raise CheckpointError(f"{path}: is no state dict; {_AGAIN}")
    return document


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False  # torch says what is wrong with it


def fill(module: nn.Module, tensors: Tensors, file: Path) -> None:
    """Give the module exactly these weights, in its own dtype. Errors: CheckpointError that names file and tensor."""
    expected = module.state_dict()
    problems = misfits(file, tensors, {name: tuple(value.shape) for name, value in expected.items()})
    problems += [
        f"{file}: tensor {name} {flaw}"
        for name, value in tensors.items()
        if name in expected and expected[name].is_floating_point() and (flaw := flaw_of(value))
    ]
    if problems:
        raise CheckpointError(summary(problems))
    module.load_state_dict(dict(tensors), strict=True)


def misfits(file: Path, tensors: Mapping[str, Tensor | Header], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What is missing, too much, or of another shape; each names the tensor and the file, a header its own."""
    problems = [f"{file}: tensor {name} is missing" for name in expected if name not in tensors]
    for name, tensor in tensors.items():
        where = f"{tensor.file if isinstance(tensor, Header) else file}: tensor {name}"
        if name not in expected:
            problems.append(f"{where} belongs to no part of the model")
        elif tuple(tensor.shape) != expected[name]:
            shape = tuple(tensor.shape)
            problems.append(f"{where} has the shape {shape}, its configuration says {expected[name]}")
    return problems


def flaw_of(tensor: Tensor) -> str | None:
    """Why these are no weights: not of floating point, not dense, or not finite. None: they may be."""
    if tensor.dtype not in _WEIGHTS:
        return f"has the dtype {str(tensor.dtype).removeprefix('torch.')}, weights are floating-point numbers"
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        return "is not stored densely"
    # A sum is one pass without a copy, and not finite if any number is not; it may overflow, so look again then.
    if not bool(tensor.sum(dtype=torch.float32).isfinite()) and not bool(tensor.isfinite().all()):
        return "holds numbers that are not finite"
    return None


def summary(problems: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f", and {len(problems) - _SHOWN} problems more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
