from __future__ import annotations

from decimal import Decimal

import pytest

from streamer.render.locale import Locale, Unspeakable
from streamer.render.money import CURRENCIES, money

ZH, EN = Locale("zh", "CNY"), Locale("en", "USD")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("328.5", "三百二十八元五角"),
        ("328.50", "三百二十八元五角"),
        ("328.55", "三百二十八元五角五分"),
        ("328.05", "三百二十八元零五分"),
        ("2", "两元"),
        ("2.02", "两元零二分"),
        ("2.22", "两元二角二分"),
        ("12.00", "十二元"),
        ("20", "二十元"),
        ("200", "二百元"),
        ("2000", "两千元"),
        ("0", "零元"),
        ("0.05", "五分"),
        ("0.02", "两分"),
        ("0.2", "两角"),
        ("0.22", "两角二分"),
        ("-5", "负五元"),
        ("-0.5", "负五角"),
        ("10000.10", "一万元一角"),
        ("100.01", "一百元零一分"),
        ("99.999", "一百元"),
        ("0.005", "一分"),
        ("0.004", "零元"),
        ("-0.001", "零元"),
        ("1,234.50", "一千二百三十四元五角"),
        (" 7 ", "七元"),
        (Decimal("1E+4"), "一万元"),
        (Decimal(1) / 3, "三角三分"),
        (3, "三元"),
    ],
)
def test_yuan_in_chinese(value: object, text: str) -> None:
    assert money(ZH, value) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("1234567.89", "USD", "一百二十三万四千五百六十七美元八十九美分"),
        ("2.02", "USD", "两美元两美分"),
        ("0.05", "usd", "五美分"),
        ("2", "EUR", "两欧元"),
        ("9.99", "GBP", "九英镑九十九便士"),
        ("1500", "JPY", "一千五百日元"),
        ("1500.5", "JPY", "一千五百零一日元"),
        ("50.5", "HKD", "五十港元五角"),
        ("300", "TWD", "新台币三百元"),
        ("-300.5", "TWD", "负新台币三百元五角"),
        ("0.5", "TWD", "新台币五角"),
        ("10000", "KRW", "一万韩元"),
        ("12.5", "SGD", "十二新加坡元五十分"),
    ],
)
def test_other_currencies_in_chinese(value: str, currency: str, text: str) -> None:
    assert money(ZH, value, currency) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (
            "1234567.89",
            "USD",
            "one million two hundred thirty-four thousand five hundred sixty-seven dollars and eighty-nine cents",
        ),
        ("1", "USD", "one dollar"),
        ("1.01", "USD", "one dollar and one cent"),
        ("0.01", "USD", "one cent"),
        ("0", "USD", "zero dollars"),
        ("-5", "USD", "minus five dollars"),
        ("-0.05", "USD", "minus five cents"),
        ("2.5", "EUR", "two euros and fifty cents"),
        ("1", "GBP", "one pound"),
        ("3.01", "GBP", "three pounds and one penny"),
        ("3.45", "GBP", "three pounds and forty-five pence"),
        ("1", "JPY", "one yen"),
        ("1500", "JPY", "one thousand five hundred yen"),
        ("10.2", "HKD", "ten Hong Kong dollars and twenty cents"),
        ("1", "TWD", "one New Taiwan dollar"),
        ("328.5", "CNY", "three hundred twenty-eight point five yuan"),
        ("2.02", "CNY", "two point zero two yuan"),
        ("1.00", "CNY", "one yuan"),
        ("-0.5", "CNY", "minus zero point five yuan"),
    ],
)
def test_english(value: str, currency: str, text: str) -> None:
    assert money(EN, value, currency) == text


def test_the_rule_names_the_currency_where_the_event_does_not() -> None:
    assert money(EN, 3) == "three dollars"
    assert money(Locale("zh", "EUR"), 3) == "三欧元"


@pytest.mark.parametrize("code", CURRENCIES)
def test_every_currency_has_words_for_one_two_and_its_smallest_coin(code: str) -> None:
    small = "1" if CURRENCIES[code].places == 0 else "0.01"
    for locale in (ZH, EN):
        said = {money(locale, value, code) for value in ("1", "2", small, "12.34")}
        assert len(said) == (3 if small == "1" else 4)


@pytest.mark.parametrize(
    ("value", "currency", "reason"),
    [
        ("abc", None, "'abc' is no number"),
        (True, None, "'True' is no number"),
        ([1], None, "is no number"),
        ("1,23", None, "'1,23' is no number"),
        ("", None, "'' is no number"),
        ("１２", None, "is no number"),
        (10**16, None, "not below 10^16"),
        (Decimal("1E+999999"), None, "not below 10^16"),
        (Decimal("1E-999999"), None, "more than 60 digits"),
        (Decimal("9999999999999999.999"), None, "not below 10^16"),
        (Decimal("NaN"), None, "not below 10^16"),
        ("5", "XXX", "'XXX' is no currency known here; send one of CNY, "),
        ("5", 7, "'7' is no currency"),
    ],
)
def test_what_is_no_amount_is_told(value: object, currency: object, reason: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        money(ZH, value, currency)
    assert reason in str(raised.value)
