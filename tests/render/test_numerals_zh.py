from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.render.numerals_zh import cardinal, counted, decimal, spelled

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1_000}


def parsed(text: str) -> int:
    """A reader of its own: digits and places add up, 万 and 亿 multiply what stands before them."""
    if text.startswith("负"):
        return -parsed(text[1:])
    for sign, value in (("亿", 10**8), ("万", 10**4)):
        before, found, after = text.rpartition(sign)
        if found:
            return parsed(before) * value + parsed(after)
    total, digit = 0, None
    for character in text:
        if character in _PLACES:
            total += (1 if digit is None else digit) * _PLACES[character]
            digit = None
        else:
            digit = _DIGITS[character]
    return total + (digit or 0)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "零"),
        (1, "一"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (22, "二十二"),
        (100, "一百"),
        (101, "一百零一"),
        (110, "一百一十"),
        (112, "一百一十二"),
        (200, "二百"),
        (222, "二百二十二"),
        (1_001, "一千零一"),
        (1_010, "一千零一十"),
        (1_100, "一千一百"),
        (2_000, "两千"),
        (2_002, "两千零二"),
        (10_000, "一万"),
        (10_005, "一万零五"),
        (12_000, "一万二千"),
        (20_000, "两万"),
        (22_000, "两万二千"),
        (100_000, "十万"),
        (100_050, "十万零五十"),
        (120_000, "十二万"),
        (1_005_000, "一百万五千"),
        (10_010_050, "一千零一万零五十"),
        (20_000_000, "两千万"),
        (100_000_000, "一亿"),
        (100_000_005, "一亿零五"),
        (100_005_000, "一亿零五千"),
        (100_050_000, "一亿零五万"),
        (220_000_000, "两亿二千万"),
        (1_010_000_000, "十亿一千万"),
        (200_000_000_000, "两千亿"),
        (1_000_000_000_000, "一万亿"),
        (1_000_000_000_001, "一万亿零一"),
        (1_000_500_000_000, "一万零五亿"),
        (1_200_000_000_000, "一万二千亿"),
        (12_345_600_000_000, "十二万三千四百五十六亿"),
        (9_999_999_999_999_999, "九千九百九十九万九千九百九十九亿九千九百九十九万九千九百九十九"),
        (-5, "负五"),
        (-2_000, "负两千"),
    ],
)
def test_whole_numbers(number: int, text: str) -> None:
    assert cardinal(number) == text
    assert parsed(text) == number


@given(st.integers(-(10**16) + 1, 10**16 - 1))
def test_every_whole_number_is_read_back(number: int) -> None:
    assert parsed(cardinal(number)) == number


@given(st.lists(st.sampled_from([0, 1, 2, 10, 12, 200, 1_000, 2_000, 9_009]), min_size=1, max_size=4))
def test_so_are_those_with_zeros_between(groups: list[int]) -> None:
    number = sum(group * 10_000**index for index, group in enumerate(groups))
    text = cardinal(number)
    assert parsed(text) == number
    assert "零零" not in text and (number == 0 or not text.endswith("零"))


@pytest.mark.parametrize(
    ("number", "text"),
    [(2, "两"), (-2, "负两"), (12, "十二"), (20, "二十"), (200, "二百"), (2_000, "两千"), (22, "二十二")],
)
def test_before_a_measure_word(number: int, text: str) -> None:
    assert counted(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("3.14", "三点一四"),
        ("0.5", "零点五"),
        ("-0.5", "负零点五"),
        ("1.10", "一点一零"),
        ("2.5", "二点五"),
        ("2000.02", "两千点零二"),
        ("0.00", "零点零零"),
        ("1E+3", "一千"),
    ],
)
def test_decimals_digit_by_digit(number: str, text: str) -> None:
    assert decimal(Decimal(number)) == text


def test_a_measure_word_changes_whole_numbers_only() -> None:
    assert decimal(Decimal(2), before_measure=True) == "两"
    assert decimal(Decimal("2.2"), before_measure=True) == "二点二"


def test_digits_are_spelled() -> None:
    assert (spelled("10086"), spelled("10086", yao=True)) == ("一零零八六", "幺零零八六")
