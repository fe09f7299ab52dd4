"""WeTextProcessing's rules for numbers, dates, measures and abbreviations, applied piece by piece.

A finite-state grammar costs one to two milliseconds a character, and half a megabyte of lattice, whatever stands
there; a text in one go would take 40 s and gigabytes at 20,000 characters. So a text is cut where no rule of version
1.2.0 reaches across, which was found by intersecting the language of each rule with the texts around a cut, and is
held by a test that compares with the whole. (In a long text the whole is worse: weights of 0.0001, which choose "five
hundred and five" over "five oh five", drown in the sum over its words.) What a piece becomes is remembered: a segment
of a text is normalized a second time, and the texts of one sender share most of their words.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from streamer.engines.glm.text.marks import DIGITS

_REMEMBERED = 50_000
"""Pieces; most are single words or characters, so some megabytes."""

_WELL_FORMED = re.compile(r'(?:[A-Za-z_]+ \{ *(?:[A-Za-z_]+: *"(?:[^"\\]|\\.)*" *)*\} *)*', re.DOTALL)
_BLANK = re.compile("[\0\t\n\v\f\r\xa0]")


class Automata(Protocol):
    """WeTextProcessing's normalizer of one language."""

    def tag(self, text: str) -> str: ...

    def verbalize(self, tagged: str) -> str: ...


class Grammar(Protocol):
    """Numbers, dates, measures and the like become words."""

    def read(self, text: str) -> str: ...

    def prepare(self, text: str) -> Iterator[None]:
        """The same work in steps of a second at most, so that the next `read` of the text finds it done."""
        ...


_STEP = 200
"""Characters; of English 1 to 3 ms each."""


class _Pieces(ABC):
    def __init__(self, automata: Automata) -> None:
        self._automata = automata
        self._spoken = lru_cache(_REMEMBERED)(self._run)

    def prepare(self, text: str) -> Iterator[None]:
        """Yields after as many characters as take some tenths of a second; those that are known take none."""
        fresh = 0
        for piece in self._pieces(text):
            known = self._spoken.cache_info().misses
            self._spoken(piece)
            if self._spoken.cache_info().misses != known:
                fresh += len(piece)
            if fresh >= _STEP:
                yield
                fresh = 0

    @abstractmethod
    def _pieces(self, text: str) -> Iterator[str]: ...

    def _run(self, piece: str) -> str:
        """What the rules make of it. What they cannot take stays as it is: the later steps keep its words and marks.

        No such piece is known among ten thousands of odd ones. The library's reader of tagged text runs on for ever
        where a quotation mark is missing, so only text that it can read reaches it.
        """
        try:
            tagged = self._automata.tag(piece)
            return self._automata.verbalize(tagged) if _WELL_FORMED.fullmatch(tagged) else piece
        except (RuntimeError, ValueError):  # of which pynini's errors are
            return piece


class ChineseGrammar(_Pieces):
    """Clause by clause. In one without a digit or sign every character stands for itself."""

    def read(self, text: str) -> str:
        return "".join(map(self._spoken, self._pieces(text)))

    def _pieces(self, text: str) -> Iterator[str]:
        text = _LONG_NUMBER.sub(lambda digits: digits[0].translate(_CHINESE_DIGITS), _BLANK.sub(" ", text))
        for clause in _CLAUSE_END.split(text):
            yield from clause if _PLAIN_CLAUSE.fullmatch(clause) else _portions(clause)


# Between digits a comma groups thousands, and a colon makes a time or a ratio.
_CLAUSE_END = re.compile("(?<=[。！？；、])|(?<=[，：])(?![0-9０-９])|(?<=[^0-9０-９][，：])")
_PLAIN_CLAUSE = re.compile("[\u3041-\u30ff\u4e00-\u9fffA-Za-z ，。！？；：、“”‘’《》（）【】「」…—]+")
_LONG_NUMBER = re.compile("[0-9０-９]{40,}")  # beyond any number that a rule names
_CHINESE_DIGITS = str.maketrans("0123456789０１２３４５６７８９", "零一二三四五六七八九" * 2)


class EnglishGrammar(_Pieces):
    """Sentence by sentence, and within one that has letters only, word by word. White space comes out as one space."""

    def read(self, text: str) -> str:
        return " ".join(self._spoken(piece).strip() for piece in self._pieces(text))

    def _pieces(self, text: str) -> Iterator[str]:
        text = _LONG_ENGLISH_NUMBER.sub(lambda digits: f" {' '.join(digits[0]).translate(DIGITS)} ", text)
        words = [word for word in _BLANK.sub(" ", text).split(" ") if word]
        for piece in _english_pieces(words):
            yield from _portions(piece)


_LONG_ENGLISH_NUMBER = re.compile("[0-9]{40,}")
_PLAIN_WORD = re.compile("’*[A-Za-z][A-Za-z’]*[.,?!;:]?")
_INITIAL = re.compile("[A-Z][.]")
_LEADS_ON = ("per", "sq", "cu", "world", "war")  # `per cu mi`, `World War II`
_AROUND = 3
"""Plain words on either side of a sentence's end that no rule spans, but for initials; `Dec. 24 at 5 p.m. EST`."""


def _english_pieces(words: list[str]) -> Iterator[str]:
    plain = [_PLAIN_WORD.fullmatch(word) is not None for word in words]
    start = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or _sentence_ends(words, plain, index):
            yield from _sentence_pieces(words[start:index], all(plain[start:index]))
            start = index


def _sentence_ends(words: list[str], plain: list[bool], index: int) -> bool:
    """Between words[index - 1] and words[index]."""
    around = plain[max(0, index - _AROUND) : index + _AROUND]
    end = words[index - 1]
    return end[-1] in ".?!;:" and not _INITIAL.fullmatch(end[-2:]) and len(around) == 2 * _AROUND and all(around)


def _sentence_pieces(words: list[str], plain: bool) -> Iterator[str]:
    if not plain:
        yield " ".join(words)
        return
    start = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or not _joined(words[index - 1], words[index]):
            yield " ".join(words[start:index])
            start = index


def _joined(word: str, following: str) -> bool:
    """Whether a rule may take both: initials, `Austin, TX`, `per kg`. Rules begin within words, too: `paper kg`."""
    return (
        word.lower().endswith(_LEADS_ON)
        or _INITIAL.fullmatch(word[-2:]) is not None
        or (word.endswith(",") and following[0].isupper())
    )


_PORTION = 400


def _portions(piece: str) -> Iterator[str]:
    """So that a lattice stays within some hundred megabytes, however long a sentence without a mark is.

    Cut behind the last space or comma, or anywhere. A rule may be torn there, once in 400 characters of what is hardly
    a sentence.
    """
    while len(piece) > _PORTION:
        cut = max(piece.rfind(mark, 0, _PORTION) for mark in " ,，") + 1 or _PORTION
        yield piece[:cut]
        piece = piece[cut:]
    if piece:
        yield piece
