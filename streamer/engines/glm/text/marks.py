"""Which characters count as what, for all steps of the text front end."""

from __future__ import annotations

import re

MARKS = "。？！；：、.?!;:，,"
"""Where speech pauses; segments end only here."""

DIGITS = str.maketrans(
    dict(enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"), ord("0")))
)
"""English words, for `str.translate`."""

_CHINESE = re.compile("[\u4e00-\u9fff]")
_UNHEARD = frozenset("\u115f\u1160\u3164\uffa0")  # Hangul fillers: letters to Unicode, blanks to everyone else


def has_chinese(text: str) -> bool:
    """Whether any CJK unified ideograph (U+4E00 to U+9FFF) is in it: the Chinese path speaks it, not the English."""
    return _CHINESE.search(text) is not None


def speakable(text: str) -> bool:
    """Whether anything in it is a letter, ideograph or number. Of marks and signs alone the model makes noise."""
    return any(character.isalnum() and character not in _UNHEARD for character in text)
