from __future__ import annotations

import pytest

from streamer.render.locale import Locale, Unspeakable
from streamer.render.names import series, spoken

ZH, EN = Locale("zh"), Locale("en")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("王女士", "王女士"),
        ("  Ada   Lovelace\n", "Ada Lovelace"),
        ("O'Brien & Sons", "O'Brien & Sons"),
        ('"Ada" said', "Ada said"),
        ("<b>手机壳</b>【限时】", "手机壳 限时"),
        ("Fish &amp; Chips", "Fish & Chips"),
        ("&lt;script&gt;x&lt;/script&gt;", "x"),
        ("ＡＢＣ１２３手机", "ABC123手机"),
        ("很好！谢谢，再见。", "很好！谢谢，再见。"),
        ("谢谢😀👍", "谢谢"),
        ("see https://example.com/a?b=c now", "see now"),
        ("看http://example.com/x吧", "看 吧"),
        ("zero\u200bwidth\u202e", "zerowidth"),
        ("a\x00b\x07c", "a b c"),
        ("第一行\n第二行", "第一行第二行"),
        ("3 < 4 and 5 > 2", "3 4 and 5 2"),
        (42, "42"),
    ],
)
def test_names(value: object, text: str) -> None:
    assert spoken(ZH, value) == text


def test_a_sentence_ends() -> None:
    assert spoken(ZH, "谢谢", sentence=True) == "谢谢。"
    assert spoken(ZH, "谢谢！", sentence=True) == "谢谢！"
    assert spoken(EN, "Thanks", sentence=True) == "Thanks."
    assert spoken(EN, "Really?", sentence=True) == "Really?"


@pytest.mark.parametrize(
    ("values", "chinese", "english"),
    [
        (["苹果"], "苹果", "苹果"),
        (["苹果", "香蕉"], "苹果和香蕉", "苹果 and 香蕉"),
        (["apples", "bananas", "pears"], "apples、bananas和pears", "apples, bananas, and pears"),
        ([1, 2], "1和2", "1 and 2"),
        (iter(["a", "b"]), "a和b", "a and b"),
    ],
)
def test_series(values: list[object], chinese: str, english: str) -> None:
    values = list(values)
    assert (series(ZH, values), series(EN, iter(values))) == (chinese, english)


def test_a_long_series_is_cut() -> None:
    names = ["a", "b", "c", "d", "e"]
    assert series(ZH, names, most=3) == "a、b、c等五项"
    assert series(EN, names, most=3) == "a, b, c, and two more"
    assert series(EN, names, most=5) == "a, b, c, d, and e"


@pytest.mark.parametrize(
    ("function", "value", "reason"),
    [
        (spoken, "", "has nothing to speak in it"),
        (spoken, "😀", "has nothing to speak in it"),
        (spoken, "<br>", "has nothing to speak in it"),
        (spoken, "x" * 2_001, "has 2001 characters"),
        (spoken, True, "is no text"),
        (spoken, {"a": 1}, "is no text"),
        (series, [], "the list is empty"),
        (series, "abc", "is no list"),
        (series, {"a": 1}, "is no list"),
        (series, 5, "is no list"),
        (series, ["a", ["b"]], "is no text"),
    ],
)
def test_what_is_no_name_is_told(function: object, value: object, reason: str) -> None:
    with pytest.raises(Unspeakable) as raised:
        function(ZH, value)  # type: ignore[operator]
    assert reason in str(raised.value)


@pytest.mark.parametrize("most", [0, -1, True, "3"])
def test_what_is_no_number_of_names(most: object) -> None:
    with pytest.raises(Unspeakable, match="is no number of names"):
        series(ZH, ["a"], most=most)  # type: ignore[arg-type]
