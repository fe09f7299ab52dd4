"""Which parts of a text espeak-ng speaks in which language."""

from __future__ import annotations

import re
import unicodedata

MANDARIN = "cmn"
ENGLISH = "en-us"

SPLITTING = 2
"""Counts the versions of this file that give espeak-ng something else: another number, another revision of the engine.
"""

_IDEOGRAPH = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# Full-width letters, digits and signs, numbers in circles and brackets, degrees.
_PASSED_OVER = re.compile(
    "[\uff03-\uff06\uff0b\uff0d-\uff19\uff1d\uff20-\uff3a\uff41-\uff5a\u2460-\u249b\u24b6-\u24ea\u2103\u2109]+"
)
_TOO_LONG = re.compile(r"[0-9]{20}(?=[0-9])|[A-Za-z\u00c0-\u024f]{30}(?=[A-Za-z\u00c0-\u024f]{7})")
_SPOKEN = re.compile(f"[0-9A-Za-z]|{_IDEOGRAPH.pattern}")
_NUMBER_OF_NEXT = re.compile(r"(?<=[^\w.,:/-])\d[\d.,:/-]*\Z")


def clean(text: str) -> str:
    """The text as espeak-ng speaks all of it.

    Without what is not text: it takes some control characters for commands, and NUL for the end. With what it passes
    over in silence written as it knows it (１２ as 12, ℃ as °C). With spaces in what it would cut off: it reads some
    twenty digits of a number, some forty letters of a word that it spells and 120 of any other.
    """
    text = _PASSED_OVER.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = text if text.isprintable() else "".join(map(_cleaned, text))
    return _TOO_LONG.sub(r"\g<0> ", text)


def speakable(text: str) -> bool:
    """Whether something in it is surely spoken; espeak-ng has no sound for some signs and scripts."""
    return _SPOKEN.search(clean(text)) is not None


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
