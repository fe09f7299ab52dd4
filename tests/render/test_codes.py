from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.render.codes import digits, phone
from streamer.render.locale import Locale, Unspeakable

ZH, EN = Locale("zh"), Locale("en")


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        ("7", "七", "seven"),
        (1002, "一零零二", "one zero zero two"),
        ("SF1234567890", "S F，一二三四，五六七，八九零", "S F, one two three four, five six seven, eight nine zero"),
        ("sf12", "S F，一二", "S F, one two"),
        ("JD-0012-7", "J D，零零一二，七", "J D, zero zero one two, seven"),
        ("20261", "二零二，六一", "two zero two, six one"),
        ("123456789012", "一二三四，五六七八，九零一二", "one two three four, five six seven eight, nine zero one two"),
        ("粤B12345", "粤，B，一二三，四五", "粤, B, one two three, four five"),
        ("  42 ", "四二", "four two"),
        ("A", "A", "A"),
        ("#12_34/5", "一二，三四，五", "one two, three four, five"),
    ],
)
def test_codes(value: object, chinese: str, english: str) -> None:
    assert (digits(ZH, value), digits(EN, value)) == (chinese, english)


def test_options_of_codes() -> None:
    assert digits(ZH, "1101", yao=True) == "幺幺零幺"
    assert digits(EN, "123456", group=0) == "one two three four five six"
    assert digits(EN, "123456", group=2) == "one two, three four, five six"


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (
            "+86 138 0013 8000",
            "八六，幺三八，零零幺三，八零零零",
            "plus eight six, one three eight, zero zero one three, eight zero zero zero",
        ),
        (
            "13800138000",
            "幺三八，零零幺三，八零零零",
            "one three eight, zero zero one three, eight zero zero zero",
        ),
        (13800138000, "幺三八，零零幺三，八零零零", "one three eight, zero zero one three, eight zero zero zero"),
        (
            "010-12345678",
            "零幺零，幺二三四，五六七八",
            "zero one zero, one two three four, five six seven eight",
        ),
        (
            "0755 2345678",
            "零七五五，二三四，五六七八",
            "zero seven five five, two three four, five six seven eight",
        ),
        (
            "0086 10 6552 9988",
            "八六，零幺零，六五五二，九九八八",
            "plus eight six, zero one zero, six five five two, nine nine eight eight",
        ),
        ("400-800-1234", "四零零，八零零，幺二三四", "four zero zero, eight zero zero, one two three four"),
        ("95588", "九五五八八", "nine five five eight eight"),
        ("110", "幺幺零", "one one zero"),
        (
            "(415) 555-0132 ext. 12",
            "四幺五，五五五，零幺三二，转幺二",
            "four one five, five five five, zero one three two, extension one two",
        ),
        (
            "+1 415 555 0132",
            "幺，四幺五，五五五，零幺三二",
            "plus one, four one five, five five five, zero one three two",
        ),
        (
            "12125550132",
            "幺，二幺二，五五五，零幺三二",
            "one, two one two, five five five, zero one three two",
        ),
        (
            "+44 20 7946 0958",
            "四四，二零，七九四六，零九五八",
            "plus four four, two zero, seven nine four six, zero nine five eight",
        ),
        (
            "010-12345678转802",
            "零幺零，幺二三四，五六七八，转八零二",
            "zero one zero, one two three four, five six seven eight, extension eight zero two",
        ),
    ],
)
def test_telephone_numbers(value: object, chinese: str, english: str) -> None:
    assert (phone(ZH, value), phone(EN, value)) == (chinese, english)


def test_yao_can_be_left_out() -> None:
    assert phone(ZH, "110", yao=False) == "一一零"


@pytest.mark.parametrize(
    ("function", "value", "reason"),
    [
        (digits, "", "has 0 characters; send 1 to 64"),
        (digits, "1" * 65, "has 65 characters"),
        (digits, "---", "holds neither digits nor letters"),
        (digits, "6222****1234", "take the last ones, as in data.phone[-4:] | digits"),
        (digits, "١٢٣", "digits other than 0 to 9"),
        (digits, True, "is no code"),
        (digits, None, "is no code"),
        (phone, "138****8000", "take the last ones"),
        (phone, "call me", "is no telephone number"),
        (phone, "12", "is no telephone number"),
        (phone, "1" * 19, "is no telephone number"),
        (phone, ["1"], "is no code"),
    ],
)
def test_what_is_no_code_is_told(function: object, value: object, reason: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        function(ZH, value)  # type: ignore[operator]
    assert reason in str(raised.value)


@pytest.mark.parametrize("group", [-1, True, "4", 65])
def test_what_is_no_size_of_a_group(group: object) -> None:
    with pytest.raises(Unspeakable, match="no size of a group"):
        digits(ZH, "1", group=group)  # type: ignore[arg-type]


@given(st.from_regex(r"[0-9]{1,64}", fullmatch=True), st.integers(0, 10))
def test_no_digit_is_lost_and_no_group_is_too_long(code: str, group: int) -> None:
    said = digits(ZH, code, group=group)
    assert "".join(str("零一二三四五六七八九".index(character)) for character in said.replace("，", "")) == code
    lengths = [len(part) for part in said.split("，")]
    assert max(lengths) <= (group or 64) and max(lengths) - min(lengths) <= 1


@given(st.from_regex(r"\+?[0-9]{3,16}", fullmatch=True))
def test_no_digit_of_a_telephone_number_is_lost(number: str) -> None:
    said = phone(ZH, number, yao=False).replace("，", "")
    read = "".join(str("零一二三四五六七八九".index(character)) for character in said)
    sent = number.removeprefix("+")
    international = number.startswith("86", 1) or number.startswith("0086")
    assert read == (sent.removeprefix("00") if not number.startswith("+") else sent) or international
