"""Voice presets: names that requests choose from, and what each engine makes of them (configs/voices.toml)."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import msgspec

from streamer.errors import ConfigurationError


class Voice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One preset. `rate` in words a minute, `pitch` 0 to 99, `volume` 0 to 200, as espeak-ng counts them."""

    name: str
    description: str = ""
    rate: int = 170
    pitch: int = 50
    volume: int = 100

    def __post_init__(self) -> None:
        for field, low, high in (("rate", 80, 450), ("pitch", 0, 99), ("volume", 0, 200)):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"{field} is {value}, allowed are {low} to {high}")

    @property
    def hash(self) -> str:
        """Hex digest of what changes the sound."""
        return hashlib.sha256(msgspec.json.encode((self.rate, self.pitch, self.volume))).hexdigest()[:16]


class Voices:
    """The presets of one file, by name."""

    def __init__(self, voices: dict[str, Voice], default: str) -> None:
        self._voices = voices
        self.default = default

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._voices)

    def get(self, name: str | None) -> Voice | None:
        """The preset; the default one for None or an empty name; None where there is no such preset."""
        return self._voices.get(name or self.default)

    @classmethod
    def load(cls, path: Path) -> Voices:
        """Read a presets file. Errors: ConfigurationError that lists every wrong preset."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError([f"voices.file {path}: {error}"]) from error
        problems, voices = [], {}
        presets = document.pop("voices", {})
        default = document.pop("default", "")
        if document:
            problems.append(
                f"voices.file {path}: unknown keys {sorted(document)}; known are default and [voices.<name>]"
            )
        if not isinstance(presets, dict):
            presets = {}
        for name, fields in presets.items():
            try:
                voices[name] = msgspec.convert({"name": name, **fields}, Voice)
            except (msgspec.ValidationError, TypeError) as error:
                problems.append(f"voices.file {path}, voice {name!r}: {error}")
        if not voices and not problems:
            problems.append(f"voices.file {path}: no [voices.<name>] in it")
        if not problems and default not in voices:
            problems.append(f"voices.file {path}: default is {default!r}, but the voices are {', '.join(voices)}")
        if problems:
            raise ConfigurationError(problems)
        return cls(voices, default)
