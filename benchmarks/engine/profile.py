"""Profiles: how the engine is set for a measurement, by name, by file and by key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

NAMED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "fp32": {"llm_precision": "fp32", "flow_precision": "fp32"},
        "tf32": {"llm_precision": "fp32", "flow_precision": "tf32", "vocoder_precision": "tf32"},
        "flow-bf16": {"llm_precision": "fp32", "flow_precision": "bf16"},
        "bf16": {"llm_precision": "bf16", "flow_precision": "bf16"},
    }
)
_CPU = {"rows": 16, "positions": 1024}
_CUDA = {"rows": 128, "flow_rows": 4, "vocoder_rows": 4, "positions": 1024}


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    settings: dict[str, Any]
    """Keys of [engine.glm]."""


def profile(words: Sequence[str], device: str) -> Profile:
    """Each word is a name of `NAMED`, KEY=VALUE or a TOML file, with the keys in [engine.glm] or at its top; later ones
    count. Errors: ValueError that names the word."""
    settings: dict[str, Any] = dict(_CUDA if device.startswith("cuda") else _CPU)
    for word in words:
        settings |= _meant(word)
    return Profile(
        name=" ".join(Path(word).stem if word.endswith(".toml") else word for word in words), settings=settings
    )


def _meant(word: str) -> Mapping[str, Any]:
    key, equals, value = word.partition("=")
    if equals:
        return {key: _value(value)}
    if word in NAMED:
        return NAMED[word]
    if not word.endswith(".toml"):
        raise ValueError(f"{word!r} is neither {', '.join(NAMED)}, nor KEY=VALUE, nor a .toml file")
    try:
        document = tomllib.loads(Path(word).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{word}: {error}") from error
    found: Mapping[str, Any] = document.get("engine", {}).get("glm", document)
    return found


def _value(text: str) -> Any:
    """As TOML has it; what is none is a word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
