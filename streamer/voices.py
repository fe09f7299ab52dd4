"""Voice presets: names that requests choose from, and what each engine makes of them (configs/voices.toml)."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import msgspec

from streamer.errors import ConfigurationError

MAX_PROMPT = 20 * 1024 * 1024
"""Bytes of a prompt's sound: ten seconds take 16 MB at most, in the widest format that there is."""


class PromptSound(msgspec.Struct, frozen=True, weakref=True):
    """A voice to clone: some seconds of sound, in any format that engines read, and what is said in it."""

    audio: bytes
    text: str
    sha256: str
    """Hex digest of `audio`."""

    @classmethod
    def of(cls, audio: bytes, text: str) -> PromptSound:
        return cls(audio, text, hashlib.sha256(audio).hexdigest())

    def __repr__(self) -> str:
        return f"PromptSound({len(self.audio)} bytes, sha256 {self.sha256[:16]}, text {self.text[:60]!r})"


class _Manner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a voice speaks. `rate` in words a minute, `pitch` 0 to 99, `volume` 0 to 200, as espeak-ng counts them."""

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


class Voice(_Manner, frozen=True, kw_only=True):
    """A preset, or what a request brought along. Each engine takes of it what it knows: espeak rate, pitch and volume,
    one that clones the prompt."""

    prompt: PromptSound | None = None

    @property
    def hash(self) -> str:
        """Hex digest of what changes the sound."""
        sound: tuple[object, ...] = (self.rate, self.pitch, self.volume)
        if self.prompt is not None:
            sound = (*sound, self.prompt.sha256, self.prompt.text)
        return hashlib.sha256(msgspec.json.encode(sound)).hexdigest()[:16]


class _Preset(_Manner, frozen=True, kw_only=True):
    """As it stands in the file."""

    prompt_audio: str | None = None
    prompt_text: str | None = None

    def voice(self, folder: Path) -> Voice:
        """`folder`: the one that the file lies in. Errors: ValueError that says what is wrong with the prompt."""
        return Voice(
            name=self.name,
            description=self.description,
            rate=self.rate,
            pitch=self.pitch,
            volume=self.volume,
            prompt=self._prompt(folder),
        )

    def _prompt(self, folder: Path) -> PromptSound | None:
        if self.prompt_audio is None and self.prompt_text is None:
            return None
        if not self.prompt_audio or not self.prompt_text or self.prompt_text.isspace():
            given, lacking = ("text", "audio") if not self.prompt_audio else ("audio", "text")
            raise ValueError(f"prompt_{lacking} is missing beside prompt_{given}; a prompt needs both")
        file = folder / self.prompt_audio
        try:
            with file.open("rb") as opened:
                audio = opened.read(MAX_PROMPT + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in its name
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"prompt_audio {file}: {reason}; it is relative to the folder of voices.file") from error
        if not audio:
            raise ValueError(f"prompt_audio {file}: is empty; give three to ten seconds of speech")
        if len(audio) > MAX_PROMPT:
            raise ValueError(f"prompt_audio {file}: has more than {MAX_PROMPT} bytes; cut it to ten seconds at most")
        return PromptSound.of(audio, self.prompt_text)


class Voices:
    """The presets of one file, by name."""

    def __init__(self, voices: dict[str, Voice], default: str) -> None:
        self._voices = voices
        self.default = default

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._voices)

    @property
    def with_prompts(self) -> tuple[str, ...]:
        """Those that an engine which clones can speak in."""
        return tuple(name for name, voice in self._voices.items() if voice.prompt is not None)

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
                voices[name] = msgspec.convert({"name": name, **fields}, _Preset).voice(path.parent)
            except (msgspec.ValidationError, TypeError, ValueError) as error:
                problems.append(f"voices.file {path}, voice {name!r}: {error}")
        if not voices and not problems:
            problems.append(f"voices.file {path}: no [voices.<name>] in it")
        if not problems and default not in voices:
            problems.append(f"voices.file {path}: default is {default!r}, but the voices are {', '.join(voices)}")
        if problems:
            raise ConfigurationError(problems)
        return cls(voices, default)
