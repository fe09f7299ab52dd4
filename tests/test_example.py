"""configs/streamer.toml names every key with its default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from streamer.resources import folder
from streamer.settings import Settings, load

EXAMPLE = folder("configs") / "streamer.toml"
DERIVED = {"store.url", "engine.glm.dictionary", "voices.file", "events.file"}
"""Their defaults depend on the machine: commented out."""

PROPERTIES = {"kafka.properties", "schema_registry.properties"}
"""Tables whose keys are not ours."""


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and prefix + key not in PROPERTIES:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_it_names_every_key_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict(leaves(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))))
    defaults = dict(leaves(Settings().model_dump()))
    assert set(given) == set(keys(Settings)) - DERIVED
    assert given == {key: value for key, value in defaults.items() if key not in DERIVED}


def test_the_lines_commented_out_are_keys_too() -> None:
    text = re.sub("^# (?=\\S+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    given = dict(leaves(tomllib.loads(text)))
    assert set(given) == set(keys(Settings))
    assert set(given["kafka.properties"]) == {"security.protocol", "sasl.mechanism", "sasl.username"}


def test_it_loads() -> None:
    assert load(EXAMPLE) == Settings()
