"""Replacements, one JSON object a line: `{"弦": "<|X|><|IAN2|>"}`. Lines that are empty or begin with # say nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from streamer.errors import ConfigurationError


class Entries:
    """What a file says, and what is wrong with it: `file:line: reason` each, and that line is passed over."""

    def __init__(self, path: Path, content: bytes, accepted: Callable[[str], bool]) -> None:
        self.replacements: dict[str, str] = {}
        self.digest = hashlib.sha256(content).hexdigest()
        problems: list[str] = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                self.replacements |= _read(line, accepted)
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
        self.problems = tuple(problems)


class Dictionary:
    """A file of replacements that may change while it is used.

    `accepted` says whether a replacement can be spoken.
    """

    def __init__(self, path: Path, accepted: Callable[[str], bool]) -> None:
        """Errors: ConfigurationError, where the file cannot be read at all."""
        self._path = path
        self._accepted = accepted
        self._stale: tuple[str, ...] = ()
        try:
            self._seen = _stamp(path)
            self._take(Entries(path, path.read_bytes(), accepted))
        except OSError as error:
            raise ConfigurationError(
                [f"{path}: cannot be read ({error.strerror}); let engine.glm.dictionary name a file of replacements"]
            ) from error

    @property
    def digest(self) -> str:
        """Hex, of the content that is in use."""
        return self._entries.digest

    @property
    def problems(self) -> tuple[str, ...]:
        """Of the content that is in use, and why it is not the newest."""
        return self._entries.problems + self._stale

    def refresh(self) -> bool:
        """Read again if the file is another one than was seen last. Whether what is in use changed.

        A file that is gone or cannot be read changes nothing, since whoever writes it may be about to put it back.
        """
        try:
            stamp = _stamp(self._path)
            if stamp == self._seen:
                return False
            content = self._path.read_bytes()
        except OSError as error:
            self._stale = (f"{self._path}: cannot be read again ({error.strerror}); the former content is in use",)
            return False
        before = self.digest
        self._seen = stamp
        self._take(Entries(self._path, content, self._accepted))
        return self.digest != before

    def parts(self, text: str) -> Iterator[tuple[str, bool]]:
        """The text with every key replaced, the longest that fits first: (part, whether it is a replacement)."""
        start = 0
        for found in self._keys.finditer(text) if self._keys else ():
            if found.start() > start:
                yield text[start : found.start()], False
            yield self._entries.replacements[found[0]], True
            start = found.end()
        if start < len(text):
            yield text[start:], False

    def _take(self, entries: Entries) -> None:
        longest_first = sorted(entries.replacements, key=lambda key: (-len(key), key))
        self._keys = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._entries = entries
        self._stale = ()


def read_replacements(path: Path) -> dict[str, str]:
    """Of a file that must be right as it is. Errors: ConfigurationError that names each bad line."""
    try:
        entries = Entries(path, path.read_bytes(), lambda replacement: True)
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror})"]) from error
    if entries.problems:
        raise ConfigurationError(entries.problems)
    return entries.replacements


def _read(line: bytes, accepted: Callable[[str], bool]) -> dict[str, str]:
    line = line.strip().removeprefix(b"\xef\xbb\xbf")
    if not line or line.startswith(b"#"):
        return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error})") from error
    if not isinstance(value, dict) or not value:
        raise ValueError('is no object such as {"弦": "<|X|><|IAN2|>"}')
    for key, replacement in value.items():
        if not key or not isinstance(replacement, str):
            raise ValueError(f"replaces {key!r} by {replacement!r}: both must be text, and the first not empty")
        if not accepted(replacement):
            raise ValueError(f"replaces {key!r} by {replacement!r}, which has what is neither text nor a known phoneme")
    return value


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes when the file is written or replaced."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
