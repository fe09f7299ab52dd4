"""Configurations beside the weights. What a file does not say is an error here, never a guess of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from streamer.engines.glm.checkpoint.layout import present
from streamer.errors import CheckpointError

Config = TypeVar("Config", bound=msgspec.Struct)

_REFERENCE = re.compile(r"<(\w+)>")


def read_json(path: Path, kind: type[Config]) -> Config:
    """The fields of `kind`; others are passed over. Errors: CheckpointError that names the file and the field."""
    try:
        return msgspec.json.decode(present(path).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_yaml(path: Path, kind: type[Config]) -> Config:
    """The same of the one table that a HyperPyYAML file holds under a `!new:` tag. The tag's class is never loaded.

    `!ref <name>` stands for the value of that name at the top; what other tags stand for is not looked at, and an
    error only where a field of `kind` needs it.
    """
    try:
        document = yaml.load(present(path).read_bytes(), Loader=_Loader)  # noqa: S506 - a SafeLoader, see below
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{path}: is no table")
    tables = [value for value in document.values() if isinstance(value, _New)]
    if len(tables) != 1:
        raise CheckpointError(f"{path}: holds {len(tables)} tables behind a !new: tag, expected is one")
    fields = {name: _resolved(value, document) for name, value in tables[0].items()}
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_table(path: Path) -> dict[str, Any]:
    """A whole JSON object. Errors: CheckpointError."""
    try:
        value = json.loads(present(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: is no JSON object")
    return value


class _New(dict[Hashable, Any]):
    """What stood under `!new:`."""


class _Tagged:
    """What stood under any other tag; fits no field."""

    def __init__(self, tag: str, text: str) -> None:
        self.tag, self.text = tag, text


class _Loader(yaml.SafeLoader):
    pass


def _new(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> _New:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, f"!new:{suffix} without a table", node.start_mark)
    return _New(loader.construct_mapping(node, deep=True))


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> _Tagged:
    return _Tagged(suffix, node.value if isinstance(node, yaml.ScalarNode) else "")


def _resolved(value: Any, document: dict[Hashable, Any]) -> Any:
    if isinstance(value, _Tagged) and value.tag == "ref" and (name := _REFERENCE.fullmatch(value.text.strip())):
        return document.get(name[1], value)
    return value


_Loader.add_multi_constructor("!new:", _new)
_Loader.add_multi_constructor("!", _tagged)
