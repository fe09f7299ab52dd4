"""The English path: texts without any ideograph."""

from __future__ import annotations

import re

from streamer.engines.glm.text.chinese import Grammar

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
        # The grammar takes an ASCII apostrophe for a quotation mark.
        text = self._grammar.read(text.replace("'", "’"))
        text = _TIMES.sub(" multiply ", text.translate(_BRACKETS))
        text = text.replace("—", " ").replace("’", "'")
        text = _SPACES.sub(" ", _DIGITS.sub(_in_words, text))
        text = _SAME_MARKS.sub(r"\1", _FOREIGN.sub("", text).lower())
        return _AROUND_MARK.sub(r"\1 ", text).strip()


def _in_words(digits: re.Match[str]) -> str:
    """Digits that the grammar knows nothing of, full-width ones for instance."""
    import inflect  # takes seconds to import, and is needed for nearly no text

    number = "".join(str(int(digit)) for digit in digits[0])
    alone = len(number) > _LONGEST_NUMBER or (number.startswith("0") and number != "0")
    engine = inflect.engine()
    words = " ".join(map(str, map(engine.number_to_words, number))) if alone else str(engine.number_to_words(number))
    return f" {words.replace('-', ' ')} "
