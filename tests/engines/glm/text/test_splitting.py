from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.text.marks import MARKS
from streamer.engines.glm.text.splitting import Syllables, length, split, units

TEXTS = st.text(st.sampled_from("好的ab'’-éア1 \n。,.?_") | st.characters(codec="utf-8"), max_size=400)


def syllables(word: str) -> int:
    return len(word)


@given(TEXTS)
def test_units_joined_are_the_text(text: str) -> None:
    assert "".join(units(text)) == text


@given(TEXTS, st.integers(1, 40), st.integers(1, 80))
def test_segments_joined_are_the_text_and_none_is_empty(text: str, least: int, most: int) -> None:
    segments = split(text, syllables, least, most)
    assert "".join(segments) == text
    assert all(segments)


@given(TEXTS)
def test_no_segment_is_longer_than_it_may_be(text: str) -> None:
    for segment in split(text, syllables):
        parts = units(segment)
        assert len(segment) <= 200 or len(parts) == 1
        assert sum(length(part, syllables) for part in parts) <= 60 + 1e-6 or len(parts) <= 61


@given(st.text(st.sampled_from("好。，ab "), max_size=400))
def test_all_but_cut_and_last_segments_end_at_a_mark_with_thirty_behind_them(text: str) -> None:
    segments = split(text, syllables, most=10**6)
    for segment in segments[:-1]:
        lengths = [length(part, syllables) for part in units(segment)]
        assert units(segment)[-1][0] in MARKS
        assert sum(lengths) >= 30 - 1e-6
        inner = [i for i, part in enumerate(units(segment)[:-1], 1) if part[0] in MARKS]
        assert all(sum(lengths[:i]) < 30 + 1e-6 for i in inner)


def test_a_long_segment_is_cut_behind_sixty_units_and_behind_a_mark_that_follows() -> None:
    assert list(map(len, split("好" * 130, syllables))) == [60, 60, 10]
    assert list(map(len, split("好" * 60 + "。" + "好" * 30, syllables, least=1000))) == [61, 30]
    assert list(map(len, split("好" * 61 + "。" + "好" * 30, syllables, least=1000))) == [60, 32]


def test_words_without_end_are_cut_too() -> None:
    """The model's context ends, whatever a sender holds for a word."""
    for text in ("a" * 20_000, "ア" * 20_000, "é-" * 10_000, "𠀀" * 20_000):
        assert max(map(len, split(text, Syllables.__new__(_Few)))) <= 200


class _Few(Syllables):
    def __init__(self) -> None:
        """Without the dictionary."""

    def __call__(self, word: str) -> int:
        return 1


def test_syllables_are_the_dictionarys_first_or_groups_of_vowels() -> None:
    count = Syllables()
    assert [count(word) for word in ("supermarket", "Read", "the", "fire")] == [4, 1, 1, 2]
    assert [count(word) for word in ("qwrtz", "zuqapolu", "aeiou")] == [1, 4, 1]
