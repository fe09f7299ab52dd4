"""What is said of events: the rules of configs/events.toml, one for each type."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from streamer.errors import ConfigurationError, RequestFailed
from streamer.records import Event, FailureCode
from streamer.render.rules import Rule, RuleReader
from streamer.render.sandbox import RenderFailed
from streamer.render.text import clean
from streamer.render.tree import DataUnusable, Fields, fields_of
from streamer.voices import Voices

_TABLES = ("defaults", "events")
_MAX_MESSAGE = 1_000
"""Characters; names of fields in it are the sender's."""


class Rendering(NamedTuple):
    """What becomes of an event."""

    text: str
    """To be spoken; empty where it is not wanted."""
    voice: str | None
    """The rule's preset; None: the default one. A voice that the request names comes before it."""
    wanted: bool
    """False: the rule's condition does not hold, and nothing shall be said."""
    template: str
    """Hex digest of the rule, for the recipe."""


class Events:
    """The rules of one file, by type. Pure: the same event and metadata give the same rendering."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self._rules = rules

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self._rules)

    def ttl(self, kind: str) -> float | None:
        """Seconds from the event to when it is no longer worth hearing; None: for ever, or no such type."""
        rule = self._rules.get(kind)
        return None if rule is None else rule.ttl

    def render(self, event: Event, metadata: dict[str, str]) -> Rendering:
        """Errors: RequestFailed(template_error) that names the field or the type, and what to do."""
        kind, rule = event.type, self._rules.get(event.type)
        if rule is None:
            known = ", ".join(self._rules)
            raise _failed(f"event.type: there is no rule for {kind[:200]!r}; add one to events.file, or send {known}")
        place = kind
        try:
            names = {"data": fields_of(event.data), "metadata": _metadata(metadata), "type": kind}
            place = f"{kind}, when"
            if rule.when is not None and not rule.when.holds(names):
                return Rendering("", None, False, rule.hash)
            voice = rule.voice
            for number, (condition, preset) in enumerate(rule.voices, 1):
                place = f"{kind}, voices {number}"
                if condition.holds(names):
                    voice = preset
                    break
            place = f"{kind}, template"
            return Rendering(clean(rule.template.render(names)), voice, True, rule.hash)
        except DataUnusable as error:
            raise _failed(f"{kind}: {error}") from error
        except RenderFailed as error:
            line = f" line {error.line}" if error.line else ""
            if error.missing:
                raise _failed(f"{error} in {place}{line}; send it, or give it a default there") from error
            raise _failed(f"{place}{line}: {error}") from error

    @classmethod
    def load(cls, path: Path, voices: Voices) -> Events:
        """Read a file of rules. Errors: ConfigurationError that lists all that is wrong in it."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError([f"events.file {path}: {error}"]) from error
        reader = RuleReader(f"events.file {path}", voices)
        rules = _rules(document, reader)
        if not rules and not reader.problems:
            reader.problems.append(f'events.file {path}: no [events."<type>"] in it')
        if reader.problems:
            raise ConfigurationError(reader.problems)
        return cls(rules)


def _rules(document: dict[str, Any], reader: RuleReader) -> dict[str, Rule]:
    for key in sorted(document.keys() - set(_TABLES)):
        reader.problem(key, 'is not known; known are [defaults] and [events."<type>"]')
    defaults = reader.defaults(reader.table("[defaults]", document.get("defaults", {})))
    rules = {}
    for kind, table in reader.table("[events]", document.get("events", {})).items():
        rule = reader.rule(kind, reader.table(f"event {kind!r}", table), defaults)
        if rule is not None:
            rules[kind] = rule
    return rules


def _metadata(metadata: dict[str, str]) -> Fields:
    fields = Fields("metadata")
    fields.update(metadata)
    return fields


def _failed(message: str) -> RequestFailed:
    return RequestFailed(FailureCode.TEMPLATE_ERROR, message[:_MAX_MESSAGE])
