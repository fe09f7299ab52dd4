from __future__ import annotations

from decimal import Decimal

import pytest

from streamer.render.locale import Locale, Unspeakable
from streamer.render.units import UNITS, duration, ordinal, percent, plain_number, unit

ZH, EN = Locale("zh"), Locale("en")


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (0, "零", "zero"),
        (2, "二", "two"),
        (10_050, "一万零五十", "ten thousand fifty"),
        ("1,000,000", "一百万", "one million"),
        (Decimal("1.10"), "一点一零", "one point one zero"),
        ("-0.5", "负零点五", "minus zero point five"),
        ("-0", "零", "zero"),
        ("+3", "三", "three"),
    ],
)
def test_numbers(value: object, chinese: str, english: str) -> None:
    assert (plain_number(ZH, value), plain_number(EN, value)) == (chinese, english)


def test_options_of_numbers() -> None:
    assert plain_number(ZH, 2, measure=True) == "两"
    assert plain_number(EN, Decimal(2) / 3, places=2) == "zero point six seven"
    assert plain_number(ZH, "2.5", places=0) == "三"


@pytest.mark.parametrize(
    ("value", "symbol", "chinese", "english"),
    [
        (2, "kg", "两公斤", "two kilograms"),
        (1, "kg", "一公斤", "one kilogram"),
        ("2.50", "kg", "二点五公斤", "two point five kilograms"),
        ("5.0", "km", "五公里", "five kilometers"),
        (0, "g", "零克", "zero grams"),
        ("0.5", "l", "零点五升", "zero point five liters"),
        (12, "m", "十二米", "twelve meters"),
        (-5, "°C", "零下五摄氏度", "minus five degrees Celsius"),
        (1, "℃", "一摄氏度", "one degree Celsius"),
        (120, "km/h", "每小时一百二十公里", "one hundred twenty kilometers per hour"),
        (20, "GB", "二十吉字节", "twenty gigabytes"),
        (2, "pcs", "两件", "two items"),
        (1, "person", "一位", "one person"),
        (3, "person", "三位", "three people"),
        (6, "ft", "六英尺", "six feet"),
        (2, "m2", "两平方米", "two square meters"),
        (2, "month", "两个月", "two months"),
        ("2.5 kg", None, "二点五公斤", "two point five kilograms"),
        ("-3°C", None, "零下三摄氏度", "minus three degrees Celsius"),
        ("1,500g", None, "一千五百克", "one thousand five hundred grams"),
    ],
)
def test_measures(value: object, symbol: str | None, chinese: str, english: str) -> None:
    assert (unit(ZH, value, symbol), unit(EN, value, symbol)) == (chinese, english)


@pytest.mark.parametrize("symbol", UNITS)
def test_every_unit_is_said_in_both_languages(symbol: str) -> None:
    assert unit(EN, 1, symbol).startswith("one ") and unit(EN, 2, symbol).startswith("two ")
    assert "两" in unit(ZH, 2, symbol) and "{" not in unit(ZH, 2, symbol)


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        ("12.5", "百分之十二点五", "twelve point five percent"),
        ("12.50%", "百分之十二点五", "twelve point five percent"),
        (2, "百分之二", "two percent"),
        (0, "百分之零", "zero percent"),
        (100, "百分之百", "one hundred percent"),
        (120, "百分之一百二十", "one hundred twenty percent"),
        ("0.05", "百分之零点零五", "zero point zero five percent"),
        (-3, "负百分之三", "minus three percent"),
    ],
)
def test_shares(value: object, chinese: str, english: str) -> None:
    assert (percent(ZH, value), percent(EN, value)) == (chinese, english)


def test_a_ratio_is_a_share_of_one() -> None:
    assert percent(ZH, "0.125", ratio=True) == "百分之十二点五"
    assert percent(EN, Decimal(2) / 3, ratio=True, places=1) == "sixty-six point seven percent"


@pytest.mark.parametrize(
    ("value", "symbol", "chinese", "english"),
    [
        (9_000, "s", "两小时三十分钟", "two hours and thirty minutes"),
        (90, "s", "一分钟三十秒", "one minute and thirty seconds"),
        (0, "s", "零秒", "zero seconds"),
        (1, "s", "一秒", "one second"),
        (86_400, "s", "一天", "one day"),
        (90_061, "s", "一天一小时一分钟一秒", "one day, one hour, one minute and one second"),
        (1_500, "ms", "两秒", "two seconds"),
        ("1.5", "h", "一小时三十分钟", "one hour and thirty minutes"),
        (45, "min", "四十五分钟", "forty-five minutes"),
        ("PT2H30M", "s", "两小时三十分钟", "two hours and thirty minutes"),
        ("P1DT12H", "s", "一天十二小时", "one day and twelve hours"),
        ("02:30:00", "s", "两小时三十分钟", "two hours and thirty minutes"),
    ],
)
def test_durations(value: object, symbol: str, chinese: str, english: str) -> None:
    assert (duration(ZH, value, symbol), duration(EN, value, symbol)) == (chinese, english)


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (1, "第一", "first"),
        (2, "第二", "second"),
        ("12", "第十二", "twelfth"),
        (22, "第二十二", "twenty-second"),
        (Decimal("3.0"), "第三", "third"),
        (100, "第一百", "one hundredth"),
    ],
)
def test_ranks(value: object, chinese: str, english: str) -> None:
    assert (ordinal(ZH, value), ordinal(EN, value)) == (chinese, english)


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (plain_number, ("abc",), "'abc' is no number; send digits"),
        (plain_number, (Decimal(1) / 3,), "round it to fewer (places=2)"),
        (plain_number, ("1", -1), "are no decimal places"),
        (plain_number, ("1", "2"), "are no decimal places"),
        (unit, (5,), "has no unit known here"),
        (unit, ("5 parsecs",), "'parsecs' has no unit known here; send one of kg, "),
        (unit, (5, "stone"), "'stone' has no unit"),
        (unit, ("x", "kg"), "is no number"),
        (percent, ("half",), "is no number"),
        (duration, (-1,), "is negative"),
        (duration, ("PT",), "is no duration"),
        (duration, ("P1Y",), "is no duration"),
        (duration, (1, "year"), "is no unit of time here"),
        (duration, ("soon",), "is no number"),
        (ordinal, (0,), "is no rank"),
        (ordinal, ("1.5",), "is no whole number"),
        (ordinal, (False,), "is no number"),
    ],
)
def test_what_cannot_be_said_is_told(function: object, arguments: tuple[object, ...], reason: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        function(ZH, *arguments)  # type: ignore[operator]
    assert reason in str(raised.value)
