from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.espeak_text import ENGLISH, MANDARIN, clean, runs, speakable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("en", "")]),
        ("Hello, world.", [("en", "Hello, world.")]),
        ("您好，世界。", [("zh", "您好，世界。")]),
        ("12.5", [("en", "12.5")]),
        ("……", [("en", "……")]),
        ("您的订单 ORD-123 已付款", [("zh", "您的订单 "), ("en", "ORD-123 "), ("zh", "已付款")]),
        ("共12件", [("zh", "共12件")]),
        ("12件", [("zh", "12件")]),
        ("¥128.00元 paid", [("zh", "¥128.00元 "), ("en", "paid")]),
        ("iPhone15手机", [("en", "iPhone15"), ("zh", "手机")]),
        ("Room A, 5楼", [("en", "Room A, "), ("zh", "5楼")]),
        ("VIP 2024年", [("en", "VIP "), ("zh", "2024年")]),
        ("no 3-5天", [("en", "no "), ("zh", "3-5天")]),
        ("有 3 apples", [("zh", "有 3 "), ("en", "apples")]),
        ("Crème brûlée 好", [("en", "Crème brûlée "), ("zh", "好")]),
        ("𠀀〇々", [("zh", "𠀀〇々")]),
        ("（VIP）您好", [("en", "（VIP）"), ("zh", "您好")]),
    ],
)
def test_runs(text: str, expected: list[tuple[str, str]]) -> None:
    languages = {"en": ENGLISH, "zh": MANDARIN}
    assert runs(text) == [(languages[language], part) for language, part in expected]


@given(st.text(st.sampled_from("aZé中〇 1.,-，。!😀\n"), max_size=60))
def test_the_runs_are_the_text_and_alternate(text: str) -> None:
    parts = runs(text)
    assert "".join(part for _, part in parts) == text
    assert all(one[0] != next_[0] for one, next_ in pairwise(parts))
    assert all(part for _, part in parts) or text == ""


@given(st.text(max_size=60))
def test_clean_leaves_only_text(text: str) -> None:
    cleaned = clean(text)
    assert all(character.isprintable() or character.isspace() for character in cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain 文字 é 😀", "plain 文字 é 😀"),
        ("a\0b\x01c\x7fd", "a b c d"),
        ("a\nb\tc", "a b c"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("\ue000\U0010ffff\ud800", "   "),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("１２．５％", "12.5%"),
        ("ＶＩＰ，您好！", "VIP，您好！"),
        ("20℃ ①", "20°C 1"),
        ("1" * 20, "1" * 20),
        ("1" * 45, f"{'1' * 20} {'1' * 20} 11111"),
        ("supercalifragilisticexpialidocious", "supercalifragilisticexpialidocious"),
        ("x" * 40, f"{'x' * 30} {'x' * 10}"),
        ("好" * 300, "好" * 300),
    ],
)
def test_what_would_be_passed_over_or_cut_off(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_speakable() -> None:
    assert all(speakable(text) for text in ("a", "。好", "１", "①", "℃"))
    assert not any(speakable(text) for text in ("", "。…！", "\u200b", "ꦗꦮ", "₿"))
