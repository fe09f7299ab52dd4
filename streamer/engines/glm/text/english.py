"""The English path: texts without any ideograph."""

from __future__ import annotations

import re
from collections.abc import Iterator

from streamer.engines.glm.text.grammar import Grammar
from streamer.engines.glm.text.marks import DIGITS

_BRACKETS = str.maketrans("", "", "()（）【】「」`《》『』{}[]")
_TIMES = re.compile(r"(?<=[A-Za-z0-9]) ?\* ?(?=[A-Za-z0-9])")
_DIGITS = re.compile(r"\d+")
_SPACES = re.compile(r"\s+")
_FOREIGN = re.compile(r"[^\w\s.,!?':;]")
_SAME_MARKS = re.compile(r"([.,!?':;])\1+")
_AROUND_MARK = re.compile(r" ?([.,?!':;]) ?")
_LONGEST_NUMBER = 15
"""Digits; what is longer, or begins with a zero, is read digit by digit. inflect knows no names above 36."""


class EnglishPath:
    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def normalize(self, text: str) -> str:
        text = self._grammar.read(_written(text))
        text = _TIMES.sub(" multiply ", text.translate(_BRACKETS))
        text = text.replace("—", " ").replace("’", "'")
        text = _SPACES.sub(" ", _DIGITS.sub(_in_words, text))
        text = _SAME_MARKS.sub(r"\1", _FOREIGN.sub("", text).lower())
        return _AROUND_MARK.sub(r"\1 ", text).strip()

    def prepare(self, text: str) -> Iterator[None]:
        return self._grammar.prepare(_written(text))


def _written(text: str) -> str:
    """As the grammar is to read it, which takes an ASCII apostrophe for a quotation mark."""
    return text.replace("'", "’")


def _in_words(digits: re.Match[str]) -> str:
    """Digits that the grammar knows nothing of, full-width ones for instance."""
    import inflect  # takes seconds to import, and is needed for nearly no text

    number = "".join(str(int(digit)) for digit in digits[0])
    if len(number) <= _LONGEST_NUMBER and (number == "0" or not number.startswith("0")):
        return f" {str(inflect.engine().number_to_words(number)).replace('-', ' ')} "
    return f" {' '.join(number).translate(DIGITS)} "
