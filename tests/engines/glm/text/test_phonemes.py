from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.text.dictionary import Dictionary
from streamer.engines.glm.text.phonemes import Phonemes, Sound, Words, only_phonemes, sounds

KNOWN = frozenset({"<|X|>", "<|ING2|>", "<|H|>", "<|ANG2|>", "<|ZH|>", "<|ANG3|>", "<|EN1|>"})


def phonemes(tmp_path: Path, words: Words, dictionary: str = "", safe: str = "") -> Phonemes:
    path = tmp_path / "dictionary.jsonl"
    path.write_text(dictionary, encoding="utf-8")
    return Phonemes(words, Dictionary(path, only_phonemes(KNOWN)), safe, KNOWN)


def test_only_runs_of_chinese_are_looked_up(tmp_path: Path, words: Words) -> None:
    spoken = phonemes(tmp_path, words, safe="在").replace("行长 in 在行。")
    assert spoken == "<|H|><|ANG2|><|ZH|><|ANG3|> in 在<|X|><|ING2|>。"


def test_a_replacement_is_left_alone(tmp_path: Path, words: Words) -> None:
    made = phonemes(tmp_path, words, '{"行长": "行<|X|>"}')
    assert made.replace("行长行") == "行<|X|><|X|><|ING2|>"


def test_a_sound_without_a_token_leaves_its_character(tmp_path: Path, words: Words) -> None:
    assert phonemes(tmp_path, words).replace("嗯鱼") == "<|EN1|>鱼"


def test_a_character_that_nobody_knows_stays() -> None:
    assert sounds("\U0003134f好", lambda text: [text]) == [("\U0003134f", None), ("好", Sound("h", "ao3"))]
    assert sounds("\U0003134f\U0003134e", lambda text: [text]) == [("\U0003134f", None), ("\U0003134e", None)]
    assert sounds("好", lambda text: []) == [("好", None)]
    assert sounds("紫", lambda text: [text]) == [("紫", Sound("z", "ii3"))]


@pytest.mark.parametrize("spoiled", [False, True])
def test_jieba_writes_to_our_folder_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], spoiled: bool
) -> None:
    cache = tmp_path / "jieba-0.42.1.cache"
    if spoiled:
        cache.write_bytes(b"spoiled")
    assert Words(tmp_path)("银行里行走") == ["银行", "里", "行走"]
    assert [path.name for path in tmp_path.iterdir()] == [cache.name]
    assert cache.stat().st_size > 1_000_000
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("jieba").level == logging.WARNING


@given(st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF) | st.sampled_from("好a。𠀀々〇"), max_size=40))
def test_no_text_raises(words: Words, text: str) -> None:
    assert [character for character, _ in sounds(text, words)] == list(text)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("<|X|>", True),
        ("好<|X|><|ING2|>", True),
        ("a < b | c > d", True),
        ("<|user|>", False),
        ("<|X", False),
        ("|>", False),
    ],
)
def test_replacements_hold_text_and_sounds_only(text: str, accepted: bool) -> None:
    assert only_phonemes(KNOWN)(text) is accepted
