from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from streamer.render.dates import clock, day, moment
from streamer.render.locale import Locale, Unspeakable

ZH, EN = Locale("zh"), Locale("en")
SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        ("2026-11-22", "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        ("2026-01-01", "二〇二六年一月一日", "January first, twenty twenty-six"),
        ("2000-02-29", "二〇〇〇年二月二十九日", "February twenty-ninth, two thousand"),
        ("2005-10-10", "二〇〇五年十月十日", "October tenth, two thousand five"),
        ("2010-12-31", "二〇一〇年十二月三十一日", "December thirty-first, twenty ten"),
        ("1900-03-03", "一九〇〇年三月三日", "March third, nineteen hundred"),
        ("1905-07-20", "一九〇五年七月二十日", "July twentieth, nineteen oh five"),
        ("2026-11-22T15:05:00", "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        ("2026-11-22 15:05", "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        ("2026-11-22T23:30:00Z", "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        (1_795_305_600_000, "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        (1_795_305_600, "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
        (Decimal("1795305600.25"), "二〇二六年十一月二十二日", "November twenty-second, twenty twenty-six"),
    ],
)
def test_dates(value: object, chinese: str, english: str) -> None:
    assert (day(ZH, value), day(EN, value)) == (chinese, english)


def test_options_of_dates() -> None:
    assert day(ZH, "2026-11-22", year=False, weekday=True) == "十一月二十二日星期日"
    assert day(EN, "2026-11-22", year=False) == "November twenty-second"
    assert day(EN, "2026-11-23", weekday=True) == "Monday, November twenty-third, twenty twenty-six"


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        ("15:05", "下午三点零五分", "three oh five p.m."),
        ("15:00", "下午三点", "three p.m."),
        ("00:00", "凌晨零点", "midnight"),
        ("00:30", "凌晨零点三十分", "twelve thirty a.m."),
        ("02:02", "凌晨两点零二分", "two oh two a.m."),
        ("5:45", "早上五点四十五分", "five forty-five a.m."),
        ("08:10", "上午八点十分", "eight ten a.m."),
        ("11:59", "上午十一点五十九分", "eleven fifty-nine a.m."),
        ("12:00", "中午十二点", "noon"),
        ("12:15", "中午十二点十五分", "twelve fifteen p.m."),
        ("14:20:59", "下午两点二十分", "two twenty p.m."),
        ("18:00", "晚上六点", "six p.m."),
        ("23:59", "晚上十一点五十九分", "eleven fifty-nine p.m."),
        ("2026-11-22T15:05:30.123Z", "下午三点零五分", "three oh five p.m."),
        ("2026-11-22T15:05:30+08:00", "下午三点零五分", "three oh five p.m."),
    ],
)
def test_times(value: object, chinese: str, english: str) -> None:
    assert (clock(ZH, value), clock(EN, value)) == (chinese, english)


@pytest.mark.parametrize(
    ("value", "chinese"),
    [
        ("2026-11-22T23:30:00Z", "十一月二十三日早上七点三十分"),
        ("2026-11-22T15:05:00", "十一月二十二日下午三点零五分"),  # no zone of its own: as it is written
        ("2026-11-22T10:00:00-05:00", "十一月二十二日晚上十一点"),
        (1_795_305_600_000, "十一月二十二日上午八点"),
    ],
)
def test_times_are_told_in_the_zone_of_the_rule(value: object, chinese: str) -> None:
    assert moment(Locale("zh", zone=SHANGHAI), value) == chinese


def test_a_zone_with_summer_time() -> None:
    berlin = Locale("en", zone=ZoneInfo("Europe/Berlin"))
    assert clock(berlin, "2026-07-01T10:00:00Z") == "noon"
    assert clock(berlin, "2026-12-01T10:00:00Z") == "eleven a.m."


def test_date_and_time() -> None:
    assert moment(EN, "2026-11-22T15:05:00") == "November twenty-second at three oh five p.m."
    assert moment(EN, "2026-11-22T00:00", year=True) == "November twenty-second, twenty twenty-six at midnight"
    assert moment(ZH, "2026-11-22T15:00", year=True) == "二〇二六年十一月二十二日下午三点"


@pytest.mark.parametrize(
    ("function", "value", "reason"),
    [
        (day, "yesterday", "is no date; send ISO 8601, such as 2026-11-22"),
        (day, "2026-02-30", "is no date of the calendar"),
        (day, "22/11/2026", "is no date"),
        (day, 20_261_122, "is no time; send ISO 8601, or milliseconds"),
        (day, -1, "is no time"),
        (day, 10**15, "after the year 9999"),
        (day, True, "is no date"),
        (day, [], "is no date"),
        (day, Decimal("1E+999"), "is no date"),
        (clock, "24:00", "is no time of day"),
        (clock, "12:60", "is no time of day"),
        (clock, "2026-11-22", "has no time of day"),
        (clock, "noonish", "has no time of day"),
        (moment, "2026-11-22", "use the filter date"),
        (moment, "2026-11-22T25:00", "has no time of day"),
    ],
)
def test_what_is_no_time_is_told(function: object, value: object, reason: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        function(ZH, value)  # type: ignore[operator]
    assert reason in str(raised.value)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:00-08:00"])
def test_the_ends_of_the_calendar(value: str) -> None:
    with pytest.raises(Unspeakable):
        day(Locale("zh", zone=timezone(timedelta(hours=8 if "-08" in value else -8))), value)
