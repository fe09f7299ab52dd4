"""Text as it may be spoken: no control characters, no markup, no line ends of a template's layout."""

from __future__ import annotations

import re
import unicodedata

_WIDE = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_LINE_END = re.compile(f"(?<=[{_WIDE}])\n(?=[{_WIDE}])")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"[ \n]*\n[ \n]*")


def clean(text: str) -> str:
    """The text on one line: a line end is nothing within Chinese, elsewhere a space; no control characters."""
    if not text.isprintable():
        text = "".join(map(_cleaned, text))
    text = _LINES.sub("\n", _SPACES.sub(" ", text)).strip()
    return _LINE_END.sub("", text).replace("\n", " ")


def _cleaned(character: str) -> str:
    if character in "\r\n\u2028\u2029":
        return "\n"
    match unicodedata.category(character):
        case "Cf":
            return ""  # zero-width and directional, also within words
        case "Cc" | "Cn" | "Co" | "Cs":
            return " "
        case _:
            return character
