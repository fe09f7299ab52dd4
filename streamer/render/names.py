"""Names and lists of names, as people type them and as they are read."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal

from streamer.render import numerals_en, numerals_zh
from streamer.render.locale import MAX_ITEMS, Locale, Unspeakable, shown
from streamer.render.text import clean

MAX_NAME = 2_000
"""Characters of a name or a comment."""

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s\u3000-\u9fff\uff00-\uffef]{1,2000}", re.IGNORECASE)
_SILENT = re.compile(r"[\[\]{}<>()|\\^~`*_#=\"'“”‘’«»【】「」『』〔〕《》〈〉（）]+")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])['’](?=[^\W\d_])")
_HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F) if chr(code).isalnum()}
"""Full-width letters and digits; full-width punctuation is Chinese, and stays."""
_ENDS = frozenset(".!?…。！？；;")
_KEPT = "\ue000"
"""Stands for an apostrophe while quotes are taken out; private characters have gone before."""


def spoken(locale: Locale, value: object, sentence: bool = False) -> str:
    """A name without what is only seen: markup, web addresses, brackets, emoji, full-width letters, line ends.

    `sentence`: something follows, so that it ends as a sentence does. Errors: Unspeakable for more than 2,000
    characters, and where nothing is left.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unspeakable(f"{shown(value)} is no text; send one")
    text = str(value)
    if len(text) > MAX_NAME:
        raise Unspeakable(f"{shown(text, 30)} has {len(text)} characters; send at most {MAX_NAME}")
    text = clean(html.unescape(_TAG.sub(" ", text)).translate(_HALF_WIDTH))
    text = _ADDRESS.sub(" ", _TAG.sub(" ", text))
    text = _SILENT.sub(" ", _APOSTROPHE.sub(_KEPT, text)).replace(_KEPT, "'")
    text = clean("".join(" " if _is_picture(character) else character for character in text))
    if not any(character.isalnum() for character in text):
        raise Unspeakable(f"{shown(value)} has nothing to speak in it; send letters or digits")
    if sentence and text[-1] not in _ENDS:
        text += "。" if locale.chinese else "."
    return text


def series(locale: Locale, values: object, most: int | None = None) -> str:
    """Names as 苹果、香蕉和梨, or "apples, bananas, and pears"; at most `most` of them, the rest counted.

    Errors: Unspeakable for what is no list, or an empty one.
    """
    if isinstance(values, str | dict) or not isinstance(values, Iterable):
        raise Unspeakable(f"{shown(values)} is no list; send one")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise Unspeakable(f"{shown(most)} is no number of names; give 1 or more")
    names = [spoken(locale, value) for value in itertools.islice(values, MAX_ITEMS + 1)]
    if len(names) > MAX_ITEMS:
        raise Unspeakable(f"the list has more than {MAX_ITEMS} names; send fewer")
    if not names:
        raise Unspeakable("the list is empty; ask {% if … %} before")
    if most is not None and len(names) > most:
        return _and_more(locale, names[:most], len(names))
    if len(names) == 1:
        return names[0]
    if locale.chinese:
        return f"{'、'.join(names[:-1])}和{names[-1]}"
    return f"{', '.join(names[:-1])}{',' if len(names) > 2 else ''} and {names[-1]}"


def _and_more(locale: Locale, names: list[str], count: int) -> str:
    """Chinese counts all of them, English those that are left."""
    if locale.chinese:
        return f"{'、'.join(names)}等{numerals_zh.counted(count)}项"
    return f"{', '.join(names)}, and {numerals_en.cardinal(count - len(names))} more"


def _is_picture(character: str) -> bool:
    """Emoji and other symbols; signs of money and sums, and degrees, are read."""
    return unicodedata.category(character) in {"So", "Sk"} and character != "°"
