"""Configurations beside the weights. What a file does not say is an error here, never a guess of ours."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from streamer.engines.glm.checkpoint.layout import present
from streamer.errors import CheckpointError

Config = TypeVar("Config", bound=msgspec.Struct)


def read_json(path: Path, kind: type[Config]) -> Config:
    """The fields of `kind`; others are passed over. Errors: CheckpointError that names the file and the field."""
    try:
        return msgspec.json.decode(present(path).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_yaml(path: Path, kind: type[Config]) -> Config:
    """The same of the one table that a HyperPyYAML file holds under a `!new:` tag. The tag's class is never loaded."""
    try:
        document = yaml.load(present(path).read_bytes(), Loader=_Loader)  # noqa: S506 - a SafeLoader, see below
    except (OSError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    tables = [value for value in document.values() if isinstance(value, _New)] if isinstance(document, dict) else []
    if len(tables) != 1:
        raise CheckpointError(f"{path}: holds {len(tables)} tables behind a !new: tag, expected is one")
    try:
        return msgspec.convert(tables[0], kind)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_table(path: Path) -> dict[str, Any]:
    """A whole JSON object. Errors: CheckpointError."""
    try:
        value = json.loads(present(path).read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is no JSON object")
    return value


class _New(dict[Hashable, Any]):
    """What stood under `!new:`."""


class _Loader(yaml.SafeLoader):
    pass


def _new(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> _New:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, f"!new:{suffix} without a table", node.start_mark)
    return _New(loader.construct_mapping(node, deep=True))


_Loader.add_multi_constructor("!new:", _new)
