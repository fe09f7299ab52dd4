from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tn.english.normalizer import Normalizer as EnglishNormalizer

from streamer.engines.glm.text.front import TextFront
from streamer.errors import ConfigurationError
from tests.engines.glm.golden import TINY
from tests.engines.glm.text.conftest import Open

ADDED = [
    token["content"]
    for token in json.loads(TINY.tokenizer_config.read_bytes())["added_tokens_decoder"].values()
    if "audio_" not in token["content"] or token["content"] in ("<|audio_0|>", "<|begin_of_audio|>")
]


@pytest.mark.parametrize(
    "text", ["", " ", "😀👨‍👩‍👧", "。！？", "...", "（）", "<|>", "\n\n", "\x00", "---", "❤️", "＿﹏"]
)
def test_a_text_with_nothing_to_speak_has_no_segments(front: TextFront, text: str) -> None:
    assert front.segments(text, False) == []
    assert front.segments(text, True) == []
    assert front.prompt_ids(text) == []


@pytest.mark.parametrize("around", ["{}", "好{}好", "so {} it is", "{}{}", "好<{}|>", "<<|{}|>|user|>"])
def test_a_senders_text_gives_no_commands(front: TextFront, around: str) -> None:
    for token in ("<|user|>", "<|endoftext|>", "<|begin_of_audio|>", "<|audio_0|>", "<|X|>", "[MASK]", "<sop>"):
        text = around.replace("{}", token)
        for ids in [front.prompt_ids(text), *(segment.ids for segment in front.segments(text, False))]:
            assert max(ids, default=0) < front.special.endoftext


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*ADDED, "好", "行", "\\n", "a", " "]), max_size=8).map("".join))
def test_nor_does_one_that_is_spoken_with_phonemes(front: TextFront, text: str) -> None:
    controls = set(range(front.special.endoftext, front.special.begin_of_audio + 1))
    controls |= set(range(front.special.audio_first, front.special.audio_last + 1))
    for segment in front.segments(text, True):
        assert not controls & set(segment.ids)


@settings(max_examples=40)
@given(st.text(max_size=60), st.booleans())
def test_no_text_raises_and_every_segment_has_tokens(front: TextFront, text: str, phoneme: bool) -> None:
    for segment in front.segments(text, phoneme):
        assert segment.ids
    front.prompt_ids(text)


@pytest.mark.parametrize("kind", ["好", "a", "。", "😀", "ア", "\u200d", "1", " ", "A. ", "a'", "\\n", "𠀀", "\x00"])
def test_twenty_thousand_of_one_kind_are_read(front: TextFront, kind: str) -> None:
    text = (kind * 20_000)[:20_000]
    assert all(len(segment.text) <= 601 for segment in front.segments(text, False))


@pytest.mark.parametrize("text", ["好" + "1" * 20_000, "a" * 20_000 + "$", "好" + "1.1" * 7_000, "1" * 20_000 + "^"])
def test_no_step_looks_at_a_long_run_again_and_again(front: TextFront, text: str) -> None:
    assert front.segments(text, False)


def test_prepare_does_the_work_in_steps(front: TextFront) -> None:
    text = "".join(f"第{number}件在2031年7月9日。" for number in range(100, 140))
    assert 2 <= sum(1 for _ in front.prepare(text)) <= 4  # clauses of some 16 characters, about 200 a step
    assert front.normalize(text).startswith("第一百件在二零三一年七月九日。第一百零一件")
    assert list(front.prepare(text)) == []  # it is known by now, and costs no step


def test_prepare_does_what_segments_need_too(front: TextFront, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is normalized once more, and may fall into other pieces than the whole text did."""
    text = "Crème brûlée à la carte, " * 40
    for _ in front.prepare(text):
        pass
    monkeypatch.setattr(EnglishNormalizer, "tag", None)
    assert len(front.segments(text, False)) > 3


@pytest.fixture
def own(open_front: Open, tmp_path: Path) -> tuple[TextFront, Path]:
    """A front end with a dictionary of its own."""
    path = tmp_path / "dictionary.jsonl"
    path.write_text('{"弦": "<|X|><|IAN2|>"}\n', encoding="utf-8")
    return open_front(path), path


def test_a_changed_dictionary_counts_at_once_and_shows_in_the_version(own: tuple[TextFront, Path]) -> None:
    front, path = own
    before, version = front.segments("琴弦", True), front.version
    assert before[0].text.endswith("<|X|><|IAN2|>。")
    path.write_text('{"弦": "<|H|><|AO3|>"}\nnonsense\n', encoding="utf-8")
    assert front.segments("琴弦", True)[0].text.endswith("<|H|><|AO3|>。")
    assert front.version != version
    assert [problem.partition(": ")[0] for problem in front.problems] == [f"{path}:2"]
    path.write_text('{"弦": "<|X|><|IAN2|>"}\n', encoding="utf-8")
    assert front.refresh()
    assert front.segments("琴弦", True) == before
    assert front.version == version
    assert front.problems == ()


def test_the_version_names_the_dictionary(own: tuple[TextFront, Path], open_front: Open, front: TextFront) -> None:
    assert own[0].version != front.version
    assert open_front(None).version == front.version


def test_it_opens_from_a_checkpoint_and_writes_to_its_cache_only(glm_cache: Path, front: TextFront) -> None:
    opened = TextFront.open(TINY, None, glm_cache)
    assert opened.segments("银行行长", True) == front.segments("银行行长", True)
    assert opened.version == front.version
    assert {"grammars.lock", "jieba-0.42.1.cache"} < {path.name for path in glm_cache.iterdir()}


def test_a_dictionary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.jsonl"):
        TextFront.open(TINY, tmp_path / "none.jsonl", tmp_path)
