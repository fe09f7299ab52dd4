from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.engines.glm.text.grammar import ChineseGrammar, EnglishGrammar
from streamer.engines.glm.text.grammars import Grammars

_ENGLISH = """
The cat sat on a mat. running, why? it’s well; paper super per sq cu mi World War II. NewWorld A B. U. S. JFK. Dr. St.
Austin, TX Boston, CA Jan Jan. May 5 5th, 2024 12:30 p.m. EST am kg km/h $5 million 10% 3.5 e-mail: www.ab.com (well)
No. 12 etc. Mr. Smith, however, '90s 1-2 1/2 first 555-1234 call me at IP is street, dr, in. x to
"""
_CHINESE = """
今天 是 2025年 3月 15日 上午 10:30 ， 。 ！ ？ 、 ； ： 温度 5.6 ℃ ￥ 1,234 １２ 元 电话 13800138000 3/4 12.5%
中国 3:2 约 人均 到 两 二 儿 女儿 花儿 个 GPU A ok 1.5 B k m 繁體 說 “ ” （ ） 《 》 尾号 是 1234 - ~ + = > < am p.m.
B2B 10后 kg 月 . , ...
"""
_ODD = ["\t", "a\tb", "\n", "\xa0", "\0", "a\0b", '"', "\\", '\\"', "[", "[EOS]", '" } char {']


class Stub:
    """Automata that answer what they are told."""

    def __init__(self, tagged: str = "", error: Exception | None = None) -> None:
        self.tagged, self.error, self.seen = tagged, error, 0

    def tag(self, text: str) -> str:
        self.seen += 1
        if self.error:
            raise self.error
        return self.tagged

    def verbalize(self, tagged: str) -> str:
        return "spoken"


@settings(max_examples=30)
@given(st.lists(st.sampled_from(_ENGLISH.split()), min_size=1, max_size=12).map(" ".join))
@example("sat well; B. sat million EST is")
@example("it was the end of JFK. she was told at last")
@example("a super kg of the paper mi")
@example("They met in World War II. Then came the spring of it.")
@example("He lived in Austin, TX for long. Then he went on.")
def test_english_pieces_are_read_as_in_the_whole(grammars: Grammars, text: str) -> None:
    whole = grammars.english.verbalize(grammars.english.tag(text))
    assert EnglishGrammar(grammars.english).read(text) == re.sub(" +", " ", whole).strip()


@settings(max_examples=60)
@given(st.lists(st.sampled_from(_CHINESE.split()), min_size=1, max_size=14).map("".join))
def test_chinese_pieces_are_read_as_in_the_whole(grammars: Grammars, text: str) -> None:
    assert ChineseGrammar(grammars.chinese).read(text) == grammars.chinese.verbalize(grammars.chinese.tag(text))


@pytest.mark.parametrize(
    "text", ["\t", "a\tb", "\n", "\xa0", "\0", "a\0b", '"', "\\", '\\"', "[", "[EOS]", '" } char {']
)
def test_what_the_library_raises_over_or_might_not_find_the_end_of_is_read(grammars: Grammars, text: str) -> None:
    for grammar in (ChineseGrammar(grammars.chinese), EnglishGrammar(grammars.english)):
        assert isinstance(grammar.read(text), str)


@pytest.mark.parametrize("tagged", ['char { value: "', 'char { value: "a\\" }', 'char { value "a" }', "}"])
def test_tagged_text_that_the_library_would_read_for_ever_never_reaches_its_reader(tagged: str) -> None:
    assert ChineseGrammar(Stub(tagged)).read("3好") == "3好"


def test_a_piece_that_the_rules_refuse_stays_as_it_is() -> None:
    assert ChineseGrammar(Stub(error=RuntimeError("Operation failed"))).read("一3。二") == "一3。二"
    assert EnglishGrammar(Stub(error=RuntimeError("Operation failed"))).read("so 3") == "so 3"


def test_no_piece_is_long_and_equal_ones_are_read_once() -> None:
    automata = Stub('char { value: "a" }')
    for text in ("1-" * 10_000, "A. " * 7_000, "World War " * 2_000, "a" * 20_000):
        assert EnglishGrammar(automata).read(text)
    assert automata.seen < 40
    pieces = list(EnglishGrammar(automata)._pieces("per " * 20_000))
    assert max(map(len, pieces)) <= 400


def test_long_numbers_are_read_digit_by_digit() -> None:
    automata = Stub(error=RuntimeError())
    assert ChineseGrammar(automata).read("号" + "10" * 20) == "号" + "一零" * 20
    assert EnglishGrammar(automata).read("no " + "10" * 20) == "no" + " one zero" * 20


def test_after_prepare_nothing_is_left_to_be_read() -> None:
    for grammar, automata in ((ChineseGrammar, Stub()), (EnglishGrammar, Stub())):
        made = grammar(automata)
        text = "On 5 May it was. 一3。二，4" * 20
        assert len(list(made.prepare(text))) <= 2
        seen = automata.seen
        assert seen > 0
        made.read(text)
        assert automata.seen == seen
