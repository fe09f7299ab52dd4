"""A written text as one would say it: the steps around the Chinese and the English path.

The steps and their order are the reference's, since the model was trained on what they make.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Protocol

import emoji

from streamer.engines.glm.text.marks import MARKS, has_chinese

_NUMBERED = re.compile(r"\A(\d+)\. ")
_ENDS_LINE = tuple(".!?;:：。！？；，")
_HYPHEN = re.compile(r"(?<=[A-Za-z])-(?=[A-Za-z])")
_SPACES = re.compile(r"\s+")
_IDLE_SPACE = re.compile(r"(?<![A-Za-z0-9.,!?;:]) | (?![A-Za-z0-9])")
_MARK_BEFORE_MARK = re.compile(f"[{MARKS}](?=[{MARKS}])")
_NO_TEXT = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_SELECTORS = re.compile("[\ufe00-\ufe0f]")  # of an emoji's looks, left where the emoji was no emoji


class Path(Protocol):
    """The steps of one language."""

    def normalize(self, text: str) -> str: ...

    def prepare(self, text: str) -> Iterator[None]:
        """The costly part, step by step, for a `normalize` that follows."""
        ...


class Normalizer:
    def __init__(self, chinese: Path, english: Path) -> None:
        self._chinese = chinese
        self._english = english

    def normalize(self, text: str) -> str:
        """Ends with one of 。 . ? ？, whatever the text. A text of nothing but marks and signs leaves a mark alone."""
        text = _plain(text)
        text = self._chinese.normalize(text).lower() if has_chinese(text) else self._english.normalize(text)
        return _ended(_tidied(text))

    def prepare(self, text: str) -> Iterator[None]:
        """Do the costly part of `normalize` in steps of a second at most; a later call finds it done."""
        text = _plain(text)
        return (self._chinese if has_chinese(text) else self._english).prepare(text)


def _plain(text: str) -> str:
    """One line of what both languages write alike."""
    text = _NUMBERED.sub(r"\1。", text).replace("\\n", "\n")
    text = _visible(emoji.replace_emoji(_joined(text), ""))
    return _HYPHEN.sub(" ", text)


def _joined(text: str) -> str:
    """Its lines as one, each with a mark at its end."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    lines = [line if line.endswith(_ENDS_LINE) else line + ("。" if has_chinese(line) else ". ") for line in lines]
    return ("" if any(map(has_chinese, lines)) else " ").join(lines)


def _visible(text: str) -> str:
    """Without control and zero-width characters, which would become tokens that no voice was trained on.

    Goes beyond the reference, which speaks whatever the model makes of their bytes.
    """
    text = _SELECTORS.sub("", text)
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _NO_TEXT)


def _tidied(text: str) -> str:
    """Spaces only where words need them; of marks in a row only the last."""
    text = _IDLE_SPACE.sub("", _SPACES.sub(" ", text))
    text = _MARK_BEFORE_MARK.sub("", text)
    return text.replace("#", "").replace("！", "。").replace("!", ".")


def _ended(text: str) -> str:
    if text.endswith(("？", "?")):
        return text
    end = "。" if has_chinese(text) else "."
    return text[:-1] + end if text.endswith(tuple(MARKS)) else text + end
