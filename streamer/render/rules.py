"""One rule of configs/events.toml: read, judged, and compiled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta, timezone, tzinfo
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from streamer.render.filters import filters
from streamer.render.locale import Language, Locale
from streamer.render.money import CURRENCIES
from streamer.render.sandbox import Condition, Sandbox, Template, TemplateInvalid
from streamer.voices import Voices

RENDERER_VERSION = 1
"""Counts the versions of `streamer.render` that give another text for the same rule and event."""

NAMES = frozenset({"data", "metadata", "type"})
"""What a template sees."""

_TTL = re.compile(r"(\d{1,9})\s?([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """[defaults], for rules that do not choose."""

    language: Language = "zh"
    voice: str | None = None
    ttl: float | str | None = None
    currency: str = "CNY"
    time_zone: str | None = None


class VoiceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`voice` speaks where `when` holds."""

    when: str
    voice: str


class RuleText(Defaults, frozen=True, kw_only=True):
    """[events."<type>"], as it is written."""

    template: str
    when: str | None = None
    voices: list[VoiceRule] = []


class Rule(NamedTuple):
    """What is said of one type of event."""

    template: Template
    when: Condition | None
    voice: str | None
    voices: tuple[tuple[Condition, str], ...]
    ttl: float | None
    """Seconds."""
    hash: str
    """Hex digest of the renderer's version and all that the rule says, defaults included."""


Shape = TypeVar("Shape", bound=Defaults)
Compiled = TypeVar("Compiled", Template, Condition)


class RuleReader:
    """Reads tables of one file; what is wrong is put into `problems`, with the file, the type and the key."""

    def __init__(self, where: str, voices: Voices) -> None:
        self._where = where
        self._voices = voices
        self.problems: list[str] = []

    def defaults(self, table: dict[str, Any]) -> dict[str, Any]:
        """The table; empty where it is wrong, so that no rule repeats what stands in `problems` already."""
        before = len(self.problems)
        found = self._shaped("[defaults]", table, Defaults)
        if found is not None:
            self._common("[defaults]", found)
        return table if len(self.problems) == before else {}

    def rule(self, kind: str, table: dict[str, Any], defaults: dict[str, Any]) -> Rule | None:
        """None where it is wrong, which then stands in `problems`."""
        place, before = f"event {kind!r}", len(self.problems)
        text = self._shaped(place, {**defaults, **table}, RuleText)
        if text is None:
            return None
        ttl, zone = self._common(place, text)
        sandbox = Sandbox(filters(Locale(text.language, text.currency, zone)), NAMES)
        template = self._compiled(f"{place}, template", text.template, sandbox.template)
        when = None if text.when is None else self._compiled(f"{place}, when", text.when, sandbox.condition)
        voices = []
        for number, each in enumerate(text.voices, 1):
            self._voice(f"{place}, voices {number}", each.voice)
            condition = self._compiled(f"{place}, voices {number}, when", each.when, sandbox.condition)
            if condition is not None:
                voices.append((condition, each.voice))
        if template is None or len(self.problems) > before:
            return None
        return Rule(template, when, text.voice, tuple(voices), ttl, _hash(text))

    def _shaped(self, place: str, table: dict[str, Any], shape: type[Shape]) -> Shape | None:
        before, known = len(self.problems), {field.name: field for field in msgspec.structs.fields(shape)}
        for key in sorted(table.keys() - known.keys()):
            self.problem(f"{place}, {key}", f"is no key of it; known are {', '.join(known)}")
        for key in sorted(table.keys() & known.keys()):
            try:
                msgspec.convert(table[key], known[key].type)
            except msgspec.ValidationError as error:
                message = str(error)
                self.problem(f"{place}, {key}", f"has the wrong type: {message[:1].lower()}{message[1:]}")
        for key in sorted(name for name, field in known.items() if field.required and name not in table):
            self.problem(f"{place}, {key}", "is missing")
        return msgspec.convert(table, shape) if len(self.problems) == before else None

    def _common(self, place: str, given: Defaults) -> tuple[float | None, tzinfo | None]:
        if given.voice is not None:
            self._voice(f"{place}, voice", given.voice)
        if given.currency not in CURRENCIES:
            self.problem(f"{place}, currency", f"is {given.currency!r}; known are {', '.join(CURRENCIES)}")
        return self._ttl(f"{place}, ttl", given.ttl), self._zone(f"{place}, time_zone", given.time_zone)

    def _voice(self, place: str, name: str) -> None:
        if name not in self._voices.names:
            self.problem(place, f"there is no voice {name!r}; voices.file has {', '.join(self._voices.names)}")

    def _ttl(self, place: str, given: float | str | None) -> float | None:
        if isinstance(given, str):
            match = _TTL.fullmatch(given)
            given = int(match[1]) * _SECONDS[match[2]] if match else 0
        if given is not None and not 0 < given < float("inf"):
            self.problem(place, 'must be seconds above 0, or a text such as "90s", "30m", "2h", "1d"')
            return None
        return None if given is None else float(given)

    def _zone(self, place: str, name: str | None) -> tzinfo | None:
        if name is None:
            return None
        if match := _OFFSET.fullmatch(name):
            offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
            if offset < timedelta(hours=24):
                return timezone(-offset if match[1] == "-" else offset)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            remedy = "use an offset such as +08:00, or a name such as Asia/Shanghai that this machine's tzdata has"
            self.problem(place, f"there is no time zone {name!r}; {remedy}")
            return None

    def _compiled(self, place: str, source: str, compiled: Callable[[str], Compiled]) -> Compiled | None:
        try:
            return compiled(source)
        except TemplateInvalid as error:
            for line, message in error.problems:
                self.problem(f"{place} line {line}", message)
            return None

    def table(self, place: str, given: Any) -> dict[str, Any]:
        """What is given, if it is a table."""
        if isinstance(given, dict):
            return given
        self.problem(place, "is no table")
        return {}

    def problem(self, place: str, message: str) -> None:
        self.problems.append(f"{self._where}, {place}: {message}")


def _hash(text: RuleText) -> str:
    return hashlib.sha256(msgspec.json.encode((RENDERER_VERSION, text))).hexdigest()[:16]
