from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.render.numerals_en import cardinal, decimal, ordinal, spelled, two_digits, year

_WORDS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}


def parsed(text: str) -> int:
    """A reader of its own."""
    if text.startswith("minus "):
        return -parsed(text.removeprefix("minus "))
    total = group = 0
    for word in text.replace("-", " ").split():
        if word == "hundred":
            group *= 100
        elif word in _SCALES:
            total, group = total + group * _SCALES[word], 0
        else:
            group += _WORDS[word]
    return total + group


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "zero"),
        (7, "seven"),
        (13, "thirteen"),
        (20, "twenty"),
        (21, "twenty-one"),
        (40, "forty"),
        (100, "one hundred"),
        (101, "one hundred one"),
        (110, "one hundred ten"),
        (328, "three hundred twenty-eight"),
        (1_000, "one thousand"),
        (1_001, "one thousand one"),
        (10_050, "ten thousand fifty"),
        (100_000, "one hundred thousand"),
        (1_000_000, "one million"),
        (1_234_567, "one million two hundred thirty-four thousand five hundred sixty-seven"),
        (2_000_000_005, "two billion five"),
        (9 * 10**15, "nine quadrillion"),
        (-5, "minus five"),
    ],
)
def test_whole_numbers(number: int, text: str) -> None:
    assert cardinal(number) == text


@given(st.integers(-(10**16) + 1, 10**16 - 1))
def test_every_whole_number_is_read_back(number: int) -> None:
    assert parsed(cardinal(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "first"),
        (2, "second"),
        (3, "third"),
        (4, "fourth"),
        (5, "fifth"),
        (8, "eighth"),
        (9, "ninth"),
        (10, "tenth"),
        (11, "eleventh"),
        (12, "twelfth"),
        (13, "thirteenth"),
        (20, "twentieth"),
        (21, "twenty-first"),
        (22, "twenty-second"),
        (30, "thirtieth"),
        (99, "ninety-ninth"),
        (100, "one hundredth"),
        (101, "one hundred first"),
        (112, "one hundred twelfth"),
        (1_000, "one thousandth"),
        (1_000_000, "one millionth"),
    ],
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "one"),
        (476, "four hundred seventy-six"),
        (1000, "one thousand"),
        (1009, "one thousand nine"),
        (1066, "ten sixty-six"),
        (1100, "eleven hundred"),
        (1900, "nineteen hundred"),
        (1905, "nineteen oh five"),
        (1999, "nineteen ninety-nine"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2010, "twenty ten"),
        (2026, "twenty twenty-six"),
        (2100, "twenty-one hundred"),
        (9999, "ninety-nine ninety-nine"),
    ],
)
def test_years(number: int, text: str) -> None:
    assert year(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("3.14", "three point one four"),
        ("0.5", "zero point five"),
        ("-0.50", "minus zero point five zero"),
        ("1E+3", "one thousand"),
        ("0.0", "zero point zero"),
    ],
)
def test_decimals_digit_by_digit(number: str, text: str) -> None:
    assert decimal(Decimal(number)) == text


def test_digits_and_minutes() -> None:
    assert spelled("9050") == "nine zero five zero"
    assert [two_digits(number) for number in (5, 10, 42)] == ["oh five", "ten", "forty-two"]
