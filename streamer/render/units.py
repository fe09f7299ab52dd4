"""Measures, shares, spans of time and ranks, spoken."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from streamer.render import numerals_en, numerals_zh
from streamer.render.decimals import number, rounded, whole, without_zeros
from streamer.render.locale import Locale, Unspeakable, shown


class Unit(NamedTuple):
    """`zh`: what follows the number, or a pattern with {} for it."""

    zh: str
    en: str
    en_plural: str


def _unit(zh: str, en: str, en_plural: str = "") -> Unit:
    return Unit(zh, en, en_plural or f"{en}s")


UNITS = {
    "kg": _unit("公斤", "kilogram"),
    "g": _unit("克", "gram"),
    "mg": _unit("毫克", "milligram"),
    "t": _unit("吨", "metric ton"),
    "lb": _unit("磅", "pound"),
    "oz": _unit("盎司", "ounce"),
    "km": _unit("公里", "kilometer"),
    "m": _unit("米", "meter"),
    "cm": _unit("厘米", "centimeter"),
    "mm": _unit("毫米", "millimeter"),
    "mi": _unit("英里", "mile"),
    "ft": _unit("英尺", "foot", "feet"),
    "in": _unit("英寸", "inch", "inches"),
    "m²": _unit("平方米", "square meter"),
    "km²": _unit("平方公里", "square kilometer"),
    "m³": _unit("立方米", "cubic meter"),
    "l": _unit("升", "liter"),
    "ml": _unit("毫升", "milliliter"),
    "°C": _unit("摄氏度", "degree Celsius", "degrees Celsius"),
    "°F": _unit("华氏度", "degree Fahrenheit", "degrees Fahrenheit"),
    "km/h": _unit("每小时{}公里", "kilometer per hour", "kilometers per hour"),
    "m/s": _unit("每秒{}米", "meter per second", "meters per second"),
    "mph": _unit("每小时{}英里", "mile per hour", "miles per hour"),
    "KB": _unit("千字节", "kilobyte"),
    "MB": _unit("兆字节", "megabyte"),
    "GB": _unit("吉字节", "gigabyte"),
    "TB": _unit("太字节", "terabyte"),
    "Mbps": _unit("每秒{}兆比特", "megabit per second", "megabits per second"),
    "W": _unit("瓦", "watt"),
    "kW": _unit("千瓦", "kilowatt"),
    "kWh": _unit("度", "kilowatt hour"),
    "V": _unit("伏", "volt"),
    "mAh": _unit("毫安时", "milliampere hour"),
    "ms": _unit("毫秒", "millisecond"),
    "s": _unit("秒", "second"),
    "min": _unit("分钟", "minute"),
    "h": _unit("小时", "hour"),
    "d": _unit("天", "day"),
    "week": _unit("周", "week"),
    "month": _unit("个月", "month"),
    "year": _unit("年", "year"),
    "pcs": _unit("件", "item"),
    "box": _unit("箱", "box", "boxes"),
    "point": _unit("分", "point"),
    "person": _unit("位", "person", "people"),
    "time": _unit("次", "time"),
    "lesson": _unit("节课", "lesson"),
}
"""By the symbol that events write."""

_ALIASES = {
    "m2": "m²",
    "m3": "m³",
    "km2": "km²",
    "L": "l",
    "mL": "ml",
    "℃": "°C",
    "℉": "°F",
    "kph": "km/h",
    "pc": "pcs",
}
_WITH_UNIT = re.compile(r"([+-]?[\d.,]{1,40})\s{0,4}([^\s\d.,+-].{0,20})", re.ASCII)
_ISO_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})(?:\.\d+)?S)?)?", re.ASCII)
_CLOCK_DURATION = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)", re.ASCII)
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3_600), "d": Decimal(86_400)}


def plain_number(locale: Locale, value: object, places: int | None = None, measure: bool = False) -> str:
    """10050 as 一万零五十, or "ten thousand fifty"; decimal places as they are written, or rounded to `places`.

    `measure`: a measure word follows, so that 2 is 两. Errors: Unspeakable.
    """
    exact = number(value)
    exact = rounded(exact, places)
    return numerals_zh.decimal(exact, before_measure=measure) if locale.chinese else numerals_en.decimal(exact)


def unit(locale: Locale, value: object, symbol: object = None, places: int | None = None) -> str:
    """2 with "kg" as 两公斤, or "two kilograms"; the symbol may stand in the value ("2.5 kg"). Errors: Unspeakable."""
    if symbol is None and isinstance(value, str) and (match := _WITH_UNIT.fullmatch(value.strip())):
        value, symbol = match[1], match[2]
    name = str(symbol).strip()
    found = UNITS.get(_ALIASES.get(name, name))
    if symbol is None or found is None:
        raise Unspeakable(f"{shown(symbol or value)} has no unit known here; send one of {', '.join(UNITS)}")
    exact = number(value)
    exact = without_zeros(rounded(exact, places))
    return _measured(locale, exact, found)


def percent(locale: Locale, value: object, places: int | None = None, ratio: bool = False) -> str:
    """12.5 as 百分之十二点五, or "twelve point five percent"; with `ratio` 0.125 is. Errors: Unspeakable."""
    exact = number(value.strip().removesuffix("%") if isinstance(value, str) else value)
    exact = number(exact * 100) if ratio else exact
    exact = without_zeros(rounded(exact, places))
    if not locale.chinese:
        return f"{numerals_en.decimal(exact)} percent"
    sign = "负" if exact < 0 else ""
    return f"{sign}百分之{'百' if abs(exact) == 100 else numerals_zh.decimal(abs(exact))}"


def duration(locale: Locale, value: object, symbol: object = "s") -> str:
    """9000 as 两小时三十分钟, or "two hours and thirty minutes"; also "02:30:00", "PT2H30M"; `symbol` ms to d.

    Rounded to seconds. Errors: Unspeakable.
    """
    seconds = _seconds(value, str(symbol))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    spans = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    said = [_measured(locale, Decimal(amount), UNITS[name]) for amount, name in spans if amount]
    if not said:
        said = [_measured(locale, Decimal(0), UNITS["s"])]
    if locale.chinese:
        return "".join(said)
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def ordinal(locale: Locale, value: object) -> str:
    """22 as 第二十二, or "twenty-second". Errors: Unspeakable."""
    rank = whole(value)
    if rank < 1:
        raise Unspeakable(f"{shown(value)} is no rank; send a whole number from 1 on")
    return f"第{numerals_zh.cardinal(rank)}" if locale.chinese else numerals_en.ordinal(rank)


def _measured(locale: Locale, exact: Decimal, found: Unit) -> str:
    if not locale.chinese:
        name = found.en if abs(exact) == 1 else found.en_plural
        return f"{numerals_en.decimal(exact)} {name}"
    below = exact < 0 and found.zh in {"摄氏度", "华氏度"}
    said = numerals_zh.decimal(abs(exact) if below else exact, before_measure=True)
    measured = found.zh.format(said) if "{}" in found.zh else said + found.zh
    return f"零下{measured}" if below else measured


def _seconds(value: object, symbol: str) -> int:
    text = value.strip() if isinstance(value, str) else ""
    if match := _CLOCK_DURATION.fullmatch(text):
        return int(match[1]) * 3_600 + int(match[2]) * 60 + int(match[3])
    if text[:1] == "P":
        match = _ISO_DURATION.fullmatch(text)
        if match is None or not any(match.groups()):
            raise Unspeakable(f"{shown(value)} is no duration of days to seconds; send PT2H30M, or seconds")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if symbol not in _SECONDS:
        raise Unspeakable(f"{shown(symbol)} is no unit of time here; use one of {', '.join(_SECONDS)}")
    exact = rounded(number(value) * _SECONDS[symbol], 0)
    if exact < 0:
        raise Unspeakable(f"{shown(value)} is negative; send how long it takes")
    return int(exact)
