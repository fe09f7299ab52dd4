"""The steps themselves, around a grammar that leaves all as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.text.chinese import ChinesePath
from streamer.engines.glm.text.english import EnglishPath
from streamer.engines.glm.text.marks import MARKS, has_chinese, speakable
from streamer.engines.glm.text.normalizer import Normalizer

_ODD = "好1a. -\\\n\t'’\"#*~()《》！!？?，,。;；：…—²①α<>|咯额噢😀\u200d\ufe0f\u200b\x00é１"
TEXTS = st.text(st.sampled_from(_ODD) | st.characters(codec="utf-8"), max_size=60)


class Identity:
    def read(self, text: str) -> str:
        return text

    def prepare(self, text: str) -> Iterator[None]:
        yield


NORMALIZER = Normalizer(ChinesePath(Identity(), {"噢": "哦"}), EnglishPath(Identity()))


@pytest.mark.parametrize(
    ("raw", "spoken"),
    [
        ("12. 开始", "12。开始。"),
        ("好 12. 开始", "好12。开始。"),
        ("一\\n二", "一。二。"),
        ("一\n\n  Two  \n三：", "一。two。三。"),
        ("one\ntwo;\nthree", "one. two; three."),
        ("好😀👨‍👩‍👧的", "好的。"),
        ("A-B-C 与 d-e", "a b c与d e。"),
        ("光速3*10^8米，3*10^8", "光速3乘10的8次方米，310^8。"),
        ("1x10^-5 与 1×10^5", "1乘10的负5次方与1×10^5。"),
        ("5-3 与 -5", "5减3与5。"),
        ("好咯，咯咯。", "好喽，咯喽。"),
        ("噢", "哦。"),
        ("额，额度，额", "呃，额度，呃。"),
        ("好~~~吗~", "好。吗。"),
        ("三*四 *", "三乘四。"),
        ("【一】「二」{三}[四]‘五’`六`『七』", "一二三四五六七。"),
        ("一——二…三_四·五“六”|七", "一，二。三四五六七。"),
        ("一²³/①⑩", "一平方立方每一十。"),
        ("Ω与α，a<b，∵∴", "欧米伽与阿尔法，a小于b，因为所以。"),
        ("好！好？！好!", "好。好。好。"),
        ("真的？", "真的？"),
        ("真的?", "真的?"),
        ("好#", "好。"),
        ("a  b ，c , d 好", "a b，c，d好。"),
        ("didn't (really) stop…", "didn't really stop."),
        ("2*3 a * b", "two multiply three a multiply b."),
        ("x—y", "x y."),
        ("１２ 007 ٣", "twelve zero zero seven three."),
        ("8" * 20, "eight " * 19 + "eight."),
        ("wow,,, what !? Yes", "wow, what? yes."),
        ("a\x00b\u200bc\ufeff", "abc."),
        ("こんにちは", "こんにちは."),
        ("", "."),
        ("好？", "好？"),
    ],
)
def test_step_by_step(raw: str, spoken: str) -> None:
    assert NORMALIZER.normalize(raw) == spoken


@given(TEXTS)
def test_every_text_ends_as_a_sentence_with_no_idle_space_or_mark(text: str) -> None:
    spoken = NORMALIZER.normalize(text)
    assert spoken.endswith(("。", ".", "？", "?"))
    assert not re.search(r"\s\s|^\s|\s$|[！!#]", spoken)
    assert spoken == spoken.lower() or not has_chinese(spoken)


@given(TEXTS)
def test_what_was_normalized_twice_stays(text: str) -> None:
    """Once is not enough: an exclamation mark becomes a full stop, which next to Chinese becomes 。 the next time."""
    twice = NORMALIZER.normalize(NORMALIZER.normalize(text))
    assert NORMALIZER.normalize(twice) == twice


@given(st.text(st.sampled_from("好的人abc，。、 "), max_size=60))
def test_plain_chinese_and_letters_stay_from_the_first_time(text: str) -> None:
    once = NORMALIZER.normalize(text)
    assert NORMALIZER.normalize(once) == once


@given(st.text(st.sampled_from(MARKS + " #~*|<>()…—_\"'\\-\n=+\u200b😀\u3164"), max_size=40))
def test_marks_and_signs_alone_are_nothing_to_speak(text: str) -> None:
    assert not speakable(NORMALIZER.normalize(text))


@given(st.sampled_from("a好é한ア1٣½"))
def test_letters_ideographs_and_numbers_are_something_to_speak(text: str) -> None:
    assert speakable(NORMALIZER.normalize(text))
