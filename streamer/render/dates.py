"""Dates and times of day, spoken."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

from streamer.render import numerals_en, numerals_zh
from streamer.render.locale import Locale, Unspeakable, shown

_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_PARTS_OF_DAY = ((5, "凌晨"), (8, "早上"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上"))
"""The hour before which each ends."""
_FIRST_SECONDS = 10**8
_FIRST_MILLISECONDS = 10**11
"""Whole numbers from here on are milliseconds since the epoch (from March 1973), below it seconds."""
_ISO = re.compile(r"[0-9T:.,Z+\- ]{1,40}", re.IGNORECASE)


def day(locale: Locale, value: object, year: bool = True, weekday: bool = False) -> str:
    """2026-11-22 as 二〇二六年十一月二十二日, or "November twenty-second, twenty twenty-six".

    Takes ISO 8601 dates and times, seconds or milliseconds since the epoch. Errors: Unspeakable.
    """
    then = _date(locale, value)
    if locale.chinese:
        text = f"{numerals_zh.cardinal(then.month)}月{numerals_zh.cardinal(then.day)}日"
        if year:
            text = numerals_zh.spelled(f"{then.year}").replace("零", "〇") + f"年{text}"
        return text + (f"星期{'一二三四五六日'[then.weekday()]}" if weekday else "")
    text = f"{_MONTHS[then.month - 1]} {numerals_en.ordinal(then.day)}"
    if weekday:
        text = f"{_WEEKDAYS_EN[then.weekday()]}, {text}"
    return f"{text}, {numerals_en.year(then.year)}" if year else text


def clock(locale: Locale, value: object) -> str:
    """15:05 as 下午三点零五分, or "three oh five p.m."; seconds are not told.

    Takes "15:05", "15:05:30", ISO 8601, seconds or milliseconds since the epoch. Errors: Unspeakable.
    """
    then = _time(locale, value)
    return _chinese_time(then) if locale.chinese else _english_time(then)


def moment(locale: Locale, value: object, year: bool = False) -> str:
    """Date and time: 十一月二十二日下午三点零五分, "November twenty-second at three oh five p.m.".

    Errors: Unspeakable, also for a date without a time.
    """
    then = _moment(locale, value)
    if then is None:
        raise Unspeakable(f"{shown(value)} has no time of day; send one, or use the filter date")
    between = "" if locale.chinese else " at "
    return day(locale, then.isoformat(), year) + between + clock(locale, then.isoformat())


def _chinese_time(then: time) -> str:
    part = next(name for end, name in _PARTS_OF_DAY if then.hour < end)
    hour = then.hour if then.hour <= 12 else then.hour - 12
    text = f"{part}{numerals_zh.counted(hour)}点"
    if then.minute:
        text += ("零" if then.minute < 10 else "") + numerals_zh.cardinal(then.minute) + "分"
    return text


def _english_time(then: time) -> str:
    if then.minute == 0 and then.hour in (0, 12):
        return "noon" if then.hour else "midnight"
    hour = numerals_en.cardinal(then.hour % 12 or 12)
    minute = f" {numerals_en.two_digits(then.minute)}" if then.minute else ""
    return f"{hour}{minute} {'a.m.' if then.hour < 12 else 'p.m.'}"


def _date(locale: Locale, value: object) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip(), re.ASCII):
        try:
            return date.fromisoformat(value.strip())
        except ValueError as error:
            raise Unspeakable(f"{shown(value)} is no date of the calendar") from error
    then = _moment(locale, value)
    if then is None:
        raise Unspeakable(f"{shown(value)} is no date; send ISO 8601, such as 2026-11-22")
    return then.date()


def _time(locale: Locale, value: object) -> time:
    text = value.strip() if isinstance(value, str) else ""
    if match := re.fullmatch(r"(\d\d?):(\d\d)(?::\d\d)?", text, re.ASCII):
        if int(match[1]) < 24 and int(match[2]) < 60:
            return time(int(match[1]), int(match[2]))
        raise Unspeakable(f"{shown(value)} is no time of day")
    then = _moment(locale, value)
    if then is None:
        raise Unspeakable(f"{shown(value)} has no time of day; send 15:05, or ISO 8601 with a time")
    return then.time()


def _moment(locale: Locale, value: object) -> datetime | None:
    """In the rule's zone where it and the value's are known; None for a text that is no date with a time."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() <= 15:
        value = int(value)  # seconds with places: what is below a second is not told
    if isinstance(value, int) and not isinstance(value, bool):
        return _since_epoch(locale, value)
    text = value.strip() if isinstance(value, str) else ""
    if len(text) <= 10 or not _ISO.fullmatch(text):
        return None
    try:
        then = datetime.fromisoformat(text)
        return then if then.tzinfo is None or locale.zone is None else then.astimezone(locale.zone)
    except (ValueError, OverflowError):
        return None


def _since_epoch(locale: Locale, value: int) -> datetime:
    if value < _FIRST_SECONDS:
        raise Unspeakable(f"{value} is no time; send ISO 8601, or milliseconds since the epoch")
    seconds = value // 1000 if value >= _FIRST_MILLISECONDS else value
    try:
        return datetime.fromtimestamp(seconds, locale.zone or UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unspeakable(f"{value} is after the year 9999") from error
