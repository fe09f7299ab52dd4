"""Characters of more than one reading become phoneme tokens: 行长 as `<|H|><|ANG2|><|ZH|><|ANG3|>`.

Which reading, jieba's words and pypinyin's phrases say; a dictionary of replacements comes first. Characters that are
safe to leave to the model stay as they are.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Container, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pypinyin import Style, lazy_pinyin

from streamer.engines.glm.text.dictionary import Dictionary

_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+")
_LOOKED_UP_AS = str.maketrans("嗯呣", "恩母")
_FINAL = re.compile("[a-zê]+[1-5]")
_TOKEN_LIKE = re.compile(r"<\|[^<|>]*\|>")

Cut = Callable[[str], list[str]]


class Sound(NamedTuple):
    """Of one character."""

    initial: str
    """Empty, where it begins with its vowel."""
    final: str
    """With its tone, 5 for the neutral one; `iii` after zh ch sh r, `ii` after z c s."""


class Words:
    """Chinese words, by jieba's part-of-speech cut, of which the words depend and not only the classes."""

    def __init__(self, cache: Path) -> None:
        """`cache`: a folder for jieba's dictionary, which would else be kept where everybody may write."""
        self._cache = cache

    def __call__(self, text: str) -> list[str]:
        return [word for word, _ in self._cut(text)]

    @cached_property
    def _cut(self) -> Callable[[str], Iterator[tuple[str, str]]]:
        """Read when first needed: it takes seconds and 150 MB, and most texts are spoken without."""
        with warnings.catch_warnings():
            # Escapes that Python no longer likes, and setuptools about pkg_resources.
            warnings.simplefilter("ignore")
            import jieba
            from jieba.posseg import POSTokenizer
        logging.getLogger("jieba").setLevel(logging.WARNING)
        words = jieba.Tokenizer()
        words.tmp_dir = str(self._cache)
        words.cache_file = f"jieba-{jieba.__version__}.cache"
        words.initialize()
        cut: Callable[[str], Iterator[tuple[str, str]]] = POSTokenizer(words).cut
        return cut


def sounds(text: str, cut: Cut) -> list[tuple[str, Sound | None]]:
    """Each character of a Chinese text and how it sounds there. None: nobody knows."""
    spoken = text.translate(_LOOKED_UP_AS)
    found: list[Sound | None] = []
    for word in cut(spoken):
        found += _sounds_of_word(word)
    if len(found) != len(text):
        return [(character, None) for character in text]
    return list(zip(text, found, strict=True))


class Phonemes:
    def __init__(self, cut: Cut, dictionary: Dictionary, safe: Container[str], known: Container[str]) -> None:
        """`safe`: characters that stay. `known`: the phoneme tokens of the vocabulary, as they are written."""
        self._cut = cut
        self._dictionary = dictionary
        self._safe = safe
        self._known = known

    def replace(self, text: str) -> str:
        """A sound that the vocabulary has no token for leaves its character, where the reference would spell it."""
        return "".join(
            part if replaced else _RUN.sub(self._replace_run, part) for part, replaced in self._dictionary.parts(text)
        )

    def _replace_run(self, run: re.Match[str]) -> str:
        return "".join(self._written(character, sound) for character, sound in sounds(run[0], self._cut))

    def _written(self, character: str, sound: Sound | None) -> str:
        if sound is None or character in self._safe:
            return character
        tokens = [f"<|{part.upper()}|>" for part in sound if part]
        return "".join(tokens) if all(token in self._known for token in tokens) else character


def only_phonemes(known: Container[str]) -> Callable[[str], bool]:
    """Whether a text has no other token of the vocabulary's syntax in it than these."""
    return lambda text: (
        all(token in known for token in _TOKEN_LIKE.findall(text))
        and not any(sign in _TOKEN_LIKE.sub("", text) for sign in ("<|", "|>"))
    )


def _sounds_of_word(word: str) -> list[Sound | None]:
    initials = lazy_pinyin(word, style=Style.INITIALS, strict=True, neutral_tone_with_five=True)
    finals = lazy_pinyin(word, style=Style.FINALS_TONE3, strict=True, neutral_tone_with_five=True)
    if not len(initials) == len(finals) == len(word):
        return [None] * len(word)  # characters without a reading come as one
    return [_sound(initial, final) for initial, final in zip(initials, finals, strict=True)]


def _sound(initial: str, final: str) -> Sound | None:
    if not _FINAL.fullmatch(final):
        return None
    if final[:-1] == "i" and initial in ("zh", "ch", "sh", "r"):
        return Sound(initial, f"iii{final[-1]}")
    if final[:-1] == "i" and initial in ("z", "c", "s"):
        return Sound(initial, f"ii{final[-1]}")
    return Sound(initial, final)
