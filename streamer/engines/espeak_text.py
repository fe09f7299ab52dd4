"""Which parts of a text espeak-ng speaks in which language."""

from __future__ import annotations

import re
import unicodedata

MANDARIN = "cmn"
ENGLISH = "en-us"

SPLITTING = 1
"""Counts the versions of this file that split differently: another number, another revision of the engine."""

_IDEOGRAPH = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_NUMBER_OF_NEXT = re.compile(r"(?<=[^\w.,:/-])\d[\d.,:/-]*\Z")


def clean(text: str) -> str:
    """The text without what is not text: espeak-ng takes some control characters for commands, and NUL for the end."""
    return text if text.isprintable() else "".join(map(_cleaned, text))


def runs(text: str) -> list[tuple[str, str]]:
    """(language, part) in order; the parts joined are the text.

    What is neither ideograph nor letter goes with the run before it, and at the beginning with the first run; but a
    number that stands apart from the run before it, right before the next one, belongs to that (`Room A, 5楼`).
    """
    parts: list[tuple[str, str]] = []
    language, start, gap = "", 0, 0
    for index, character in enumerate(text):
        own = MANDARIN if _IDEOGRAPH.match(character) else ENGLISH if character.isalpha() else ""
        if not own:
            continue
        if language and own != language:
            number = _NUMBER_OF_NEXT.search(text, gap, index)
            end = number.start() if number else index
            parts.append((language, text[start:end]))
            start = end
        language, gap = own, index + 1
    parts.append((language or ENGLISH, text[start:]))
    return parts


def _cleaned(character: str) -> str:
    match unicodedata.category(character):
        case "Cf":
            return ""  # zero-width, also within words
        case "Cc" | "Cn" | "Co" | "Cs":
            return " "
        case _:
            return character
