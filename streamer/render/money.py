"""Amounts of money, spoken in main and minor units."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from streamer.render import numerals_en, numerals_zh
from streamer.render.decimals import number, parts, rounded
from streamer.render.locale import Locale, Unspeakable, shown


class Currency(NamedTuple):
    """`places`: of ISO 4217's minor unit. `minor_zh` of two characters or more is counted; 角 and 分 are places."""

    zh: str
    minor_zh: str
    en: str
    en_plural: str
    minor_en: str = "cent"
    minor_en_plural: str = "cents"
    places: int = 2


_JIAO_FEN = ""

CURRENCIES = {
    # In English a yuan's jiao and fen are told as decimal places: "two point five yuan".
    "CNY": Currency("元", _JIAO_FEN, "yuan", "yuan", "", ""),
    "USD": Currency("美元", "美分", "dollar", "dollars"),
    "EUR": Currency("欧元", "欧分", "euro", "euros"),
    "GBP": Currency("英镑", "便士", "pound", "pounds", "penny", "pence"),
    "JPY": Currency("日元", "", "yen", "yen", places=0),
    "HKD": Currency("港元", _JIAO_FEN, "Hong Kong dollar", "Hong Kong dollars"),
    "TWD": Currency("新台币", _JIAO_FEN, "New Taiwan dollar", "New Taiwan dollars"),
    "MOP": Currency("澳门元", _JIAO_FEN, "Macanese pataca", "Macanese patacas", "avo", "avos"),
    "KRW": Currency("韩元", "", "won", "won", places=0),
    "SGD": Currency("新加坡元", "分", "Singapore dollar", "Singapore dollars"),
    "AUD": Currency("澳元", "澳分", "Australian dollar", "Australian dollars"),
    "CAD": Currency("加元", "加分", "Canadian dollar", "Canadian dollars"),
    "CHF": Currency("瑞士法郎", "生丁", "Swiss franc", "Swiss francs", "centime", "centimes"),
    "INR": Currency("卢比", "派士", "rupee", "rupees", "paisa", "paise"),
}
"""By ISO 4217."""


def money(locale: Locale, value: object, currency: object = None) -> str:
    """328.5 as 三百二十八元五角, or "three hundred twenty-eight dollars and fifty cents".

    Rounded to the minor unit, half away from zero. `currency`: ISO 4217, else the rule's. Errors: Unspeakable.
    """
    code = locale.currency if currency is None else str(currency).strip().upper()
    if code not in CURRENCIES:
        raise Unspeakable(f"{shown(currency)} is no currency known here; send one of {', '.join(CURRENCIES)}")
    unit = CURRENCIES[code]
    amount = rounded(number(value), unit.places)
    negative, main, after = parts(amount)
    minor = int(after or "0")
    if locale.chinese:
        return ("负" if negative else "") + _chinese(unit, main, minor)
    return ("minus " if negative else "") + _english(unit, abs(amount), main, minor)


def _chinese(unit: Currency, main: int, minor: int) -> str:
    prefix, name = ("新台币", "元") if unit.zh == "新台币" else ("", unit.zh)
    text = prefix + numerals_zh.counted(main) + name if main or not minor else prefix
    if not minor:
        return text
    if unit.minor_zh:
        return text + numerals_zh.counted(minor) + unit.minor_zh
    return text + _jiao_fen(*divmod(minor, 10), head=not main)


def _jiao_fen(jiao: int, fen: int, *, head: bool) -> str:
    """两 at the head of the amount only: 两角, 两元二角; a place that is skipped is 零: 两元零二分."""
    say = numerals_zh.counted if head else numerals_zh.cardinal
    text = f"{say(jiao)}角" if jiao else "" if head else "零"
    if fen:
        text += f"{numerals_zh.cardinal(fen) if jiao else say(fen)}分"
    return text


def _english(unit: Currency, amount: Decimal, main: int, minor: int) -> str:
    name = unit.en if main == 1 else unit.en_plural
    if not minor:
        return f"{numerals_en.cardinal(main)} {name}"
    if not unit.minor_en:
        return f"{numerals_en.decimal(amount).removesuffix(' zero')} {unit.en_plural}"
    cents = f"{numerals_en.cardinal(minor)} {unit.minor_en if minor == 1 else unit.minor_en_plural}"
    return f"{numerals_en.cardinal(main)} {name} and {cents}" if main else cents
