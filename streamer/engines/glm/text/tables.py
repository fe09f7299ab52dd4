"""Data of the front end that ships in configs/: from zai-org/GLM-TTS, commit c5dc7ae, Apache License 2.0."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from streamer import resources
from streamer.engines.glm.text.dictionary import read_replacements
from streamer.errors import ConfigurationError

_SAFE = "G2P_able_1word.json"
_BEFORE = "custom_replace.jsonl"
_DICTIONARY = "G2P_replace_dict.jsonl"


class _Safe(msgspec.Struct):
    origin: str
    characters: list[str]
    """Some in each line, for reading."""


class Tables(msgspec.Struct, frozen=True):
    safe: frozenset[str]
    """Characters whose reading is left to the model."""
    before: dict[str, str]
    """Replaced before a Chinese text is normalized, in this order."""
    dictionary: Path
    """The shipped dictionary of pronunciations."""
    digest: str
    """Hex, of both tables; the dictionary has its own."""


def read_tables(folder: Path | None = None) -> Tables:
    """Errors: ConfigurationError that names the file."""
    folder = folder or resources.folder("configs")
    safe = folder / _SAFE
    before = folder / _BEFORE
    try:
        characters = msgspec.json.decode(safe.read_bytes(), type=_Safe).characters
        digest = hashlib.sha256(safe.read_bytes() + before.read_bytes()).hexdigest()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError([f"{safe}: cannot be read ({error})"]) from error
    return Tables(frozenset("".join(characters)), read_replacements(before), folder / _DICTIONARY, digest)
