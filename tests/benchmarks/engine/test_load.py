"""Texts by the length of their audio, and which of them are spoken when."""

from __future__ import annotations

import io

import pytest
import soundfile

from benchmarks.engine.load import LENGTHS, Text, evenly, prompt, shortest, texts
from benchmarks.engine.plan import plan


def by_characters(text: str) -> list[int]:
    return [len(text)]


def test_so_many_texts_in_a_row_have_each_length_once() -> None:
    found = texts(40, by_characters)
    assert sorted(text.tokens for text in found[:16]) == list(LENGTHS)
    assert sorted(text.tokens for text in found[16:32]) == list(LENGTHS)
    assert len({text.text for text in found}) > 35
    assert [text.number for text in found] == list(range(40))
    assert [min(text.seconds for text in found), max(text.seconds for text in found)] == pytest.approx([2.4, 14.4])


def test_a_text_has_the_length_that_the_front_end_counts() -> None:
    """Of some places in the stock it counts more, and other places are tried."""
    found = texts(16, lambda text: [len(text) + ("客" in text)])
    assert sorted(text.tokens for text in found) == list(LENGTHS)
    assert all("客" not in text.text or len(text.text) == text.tokens - 1 for text in found)


def test_where_no_text_is_one_segment_it_says_so() -> None:
    with pytest.raises(ValueError, match="no text of 3 tokens"):
        texts(1, lambda text: [1, 2])


def test_a_few_stand_for_all() -> None:
    given = [Text(number=number, text="", tokens=tokens) for number, tokens in enumerate((9, 3, 18, 12))]
    assert [text.tokens for text in evenly(given, 2)] == [9, 18]
    assert [text.tokens for text in evenly(given, 1)] == [12]
    assert [text.tokens for text in evenly(given, 9)] == [3, 9, 12, 18]
    assert [text.tokens for text in shortest(given, 2)] == [3, 9]


def test_the_prompt_is_five_seconds() -> None:
    samples, rate = soundfile.read(io.BytesIO(prompt().audio))
    assert len(samples) / rate == 5.0


def test_a_slow_device_speaks_less_and_says_what_it_leaves_out() -> None:
    given = texts(128, by_characters)
    slow, fast = plan("full", "cpu"), plan("full", "cuda")
    assert (slow.concurrency, fast.concurrency) == ((1, 4, 16), (1, 4, 16, 64, 128))
    assert slow.left_out
    assert not fast.left_out
    assert [len(slow.together(given[:16], at_once)) for at_once in slow.concurrency] == [1, 4, 16]
    assert [len(fast.together(given, at_once)) for at_once in fast.concurrency] == [16, 16, 64, 128, 128]
    assert len(plan("tiny", "cpu", alone=3).one_by_one(given)) == 3
    assert plan("full", "cpu", concurrency=[2], utterances=5).concurrency == (2,)
