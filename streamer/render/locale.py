"""What a rule's filters take as given: the language they speak, and what is meant where the data does not say."""

from __future__ import annotations

from datetime import tzinfo
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]

MAX_ITEMS = 200
"""Entries of a list that a template may use: a person listens to this."""


class Locale(NamedTuple):
    """Of one rule."""

    language: Language = "zh"
    currency: str = "CNY"
    """ISO 4217, of amounts without one."""
    zone: tzinfo | None = None
    """Times are told in it; None: in the zone they are written in."""

    @property
    def chinese(self) -> bool:
        return self.language == "zh"


class Unspeakable(ValueError):
    """A filter cannot speak this value; the message says why and what to send instead."""


def shown(value: object, length: int = 60) -> str:
    """A value for a message: quoted, and cut."""
    text = repr(str(value))
    return text if len(text) <= length else f"{text[:length]}…"
