from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.render.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("\n您好，\n您的订单。\n", "您好，您的订单。"),
        ("Hello.\n  Your order.\n", "Hello. Your order."),
        ("您的 order\n已发货", "您的 order 已发货"),
        ("a \t b", "a b"),
        ("第一 \n\n 第二", "第一第二"),
        ("a\u2028b\r\nc", "a b c"),
        ("a\x00b\x1bc\x9fd", "a b c d"),
        ("\u200bzero\u202e width\ufeff", "zero width"),
        ("\ud800x", "x"),
    ],
)
def test_cases(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_what_is_cleaned_can_be_carried_and_printed_and_stays(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode("utf-8").decode() == cleaned
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in cleaned)
    assert clean(cleaned) == cleaned
