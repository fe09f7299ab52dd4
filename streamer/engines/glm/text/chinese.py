"""The Chinese path: texts with any ideograph, English words within them included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from streamer.engines.glm.text.grammar import Grammar
from streamer.engines.glm.text.marks import MARKS

_SCIENTIFIC = re.compile(r"(?<!\d)(\d+(?:\.\d+)?) ?[*x×] ?(\d+) ?\^ ?(-?)(\d+)")
_MINUS = re.compile(r"(?<=[0-9])-(?=[0-9])")
_LO = re.compile(f"咯(?=[{MARKS}])")
_E = re.compile(r"(?<!\w)额(?!\w)")
_TILDES = re.compile("~+")
_FACTOR = "零〇一二三四五六七八九十百千万亿点幺两A-Za-z()（）"
_TIMES = re.compile(rf"(?<=[{_FACTOR}])\*(?=[{_FACTOR}])")

_BRACKETS = "()（）【】「」`《》『』{}[]‘’"
_DROPPED = '_·"“”|'
_COMMAS = re.compile(r" - |——|[,:：;；、]+")
_STOPS = re.compile(r"[.…]+")

_WORDS = {
    "†": "，",
    "²": "平方",
    "³": "立方",
    "/": "每",
    "□": "方框",
    "<": "小于",
    ">": "大于",
    "∈": "属于",
    "∉": "不属于",
    "∪": "并",
    "∩": "交",
    "⊥": "垂直于",
    "∥": "平行于",
    "≠": "不等于",
    "∵": "因为",
    "∴": "所以",
    "∅": "空集",
    "⊂": "真包含于",
    "⊃": "真包含",
    "⊆": "包含于",
    "⊇": "包含",
}
_GREEK = (
    ("αΑ", "阿尔法"),
    ("βΒ", "贝塔"),
    ("γΓ", "伽马"),
    ("δΔ", "德尔塔"),
    ("εΕ", "艾普西龙"),
    ("ζΖ", "泽塔"),
    ("ηΗ", "伊塔"),
    ("θΘ", "西塔"),
    ("ιΙ", "约塔"),
    ("κΚ", "卡帕"),
    ("λΛ", "拉姆达"),
    ("μΜ", "缪"),
    ("νΝ", "纽"),
    ("ξΞ", "克西"),
    ("οΟ", "奥米克戎"),
    ("πΠ", "派"),
    ("ρΡ", "柔"),
    ("σςΣ", "西格玛"),
    ("τΤ", "陶"),
    ("υΥ", "宇普西龙"),
    ("φΦ", "斐"),
    ("χΧ", "卡伊"),
    ("ψΨ", "普西"),
    ("ωΩ", "欧米伽"),
)
_SIGNS = str.maketrans(
    dict.fromkeys(_BRACKETS + _DROPPED, "")
    | _WORDS
    | {letter: word for letters, word in _GREEK for letter in letters}
    | dict(zip("①②③④⑤⑥⑦⑧⑨⑩", "一二三四五六七八九十", strict=True))
)


class ChinesePath:
    def __init__(self, grammar: Grammar, replaced: Mapping[str, str]) -> None:
        self._grammar = grammar
        self._replaced = replaced

    def normalize(self, text: str) -> str:
        """A minus sign before a number is lost, as in the reference: "-5.6℃" is spoken 五点六摄氏度."""
        text = self._grammar.read(self._written(text))
        text = _E.sub("呃", text.replace("\\", ""))
        text = _TILDES.sub("。", text)
        text = _TIMES.sub("乘", text).replace("*", "")
        text = _COMMAS.sub("，", text)
        return _STOPS.sub("。", text).translate(_SIGNS)

    def prepare(self, text: str) -> Iterator[None]:
        return self._grammar.prepare(self._written(text))

    def _written(self, text: str) -> str:
        """As the grammar is to read it."""
        text = _SCIENTIFIC.sub(_spoken_power, text, count=1)
        text = _MINUS.sub("减", text).replace("-", "")
        text = _LO.sub("喽", text)
        for written, spoken in self._replaced.items():
            text = text.replace(written, spoken)
        return text


def _spoken_power(found: re.Match[str]) -> str:
    """`3.2*10^-5`; the numbers stay digits, for the grammar to read."""
    factor, base, sign, exponent = found.groups()
    return f"{factor}乘{base}的{'负' if sign else ''}{exponent}次方"
