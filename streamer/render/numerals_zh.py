"""Mandarin numerals.

Digits are grouped by four (万, 亿). Within a number one or several zeros are read as one 零, those at the end of a
group are not read at all: the rule taught in primary school (10,005 一万零五, 1,005,000 一百万五千). 10 to 19 begin
with 十, not 一十, at the beginning of a number only (十二; 一百一十二).

二 or 两: before 千, 万, 亿 and measure words 两 stands at the head of a number, 二 within it (两千, 两亿二千万); before
十 always, and before 百 by custom, 二. So Lü Shuxiang, 现代汉语八百词, under 二 and 两.
"""

from __future__ import annotations

from decimal import Decimal

from streamer.render.decimals import parts

DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")


def cardinal(number: int) -> str:
    """-10^16 < number < 10^16."""
    if number < 0:
        return f"负{cardinal(-number)}"
    if number == 0:
        return "零"
    groups = []
    rest = number
    while rest:
        rest, group = divmod(rest, 10_000)
        groups.append(group)
    text, gap = "", False
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if group == 0:
            gap = True
            continue
        if text and (gap or group < 1_000):
            text += "零"
        # 12,3456,0000,0000 is 十二万三千四百五十六亿: the 亿 of a 万亿 is said once, with what stands before it.
        unit = "万" if index == 3 and groups[2] else _GROUPS[index]
        text += _group(group) + unit
        gap = False
    if text.startswith("一十"):
        text = text[1:]
    return _with_liang(text)


def counted(number: int) -> str:
    """Before a measure word: 两 for 2 alone."""
    text = cardinal(number)
    return text.replace("二", "两") if abs(number) == 2 else text


def decimal(number: Decimal, *, before_measure: bool = False) -> str:
    """Decimal places digit by digit, as many as are written."""
    negative, before, after = parts(number)
    if not after:
        return ("负" if negative else "") + (counted(before) if before_measure else cardinal(before))
    return ("负" if negative else "") + f"{cardinal(before)}点{spelled(after)}"


def spelled(digits: str, *, yao: bool = False) -> str:
    """Digit by digit; `yao`: 幺 for 一, as in telephone numbers, where 一 and 七 are confused."""
    text = "".join(DIGITS[int(digit)] for digit in digits)
    return text.replace("一", "幺") if yao else text


def _group(group: int) -> str:
    """1 to 9999, without a zero at its head."""
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if digit == 0:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + DIGITS[digit] + _PLACES[place]
        gap = False
    return text


def _with_liang(text: str) -> str:
    return f"两{text[1:]}" if text[:2] in {"二千", "二万", "二亿"} else text
