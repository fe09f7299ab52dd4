"""What the LLM is prompted with, segment after segment."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.engines.glm.llm.history import History
from tests.engines.glm.golden import document


@pytest.mark.parametrize("case", document("prompt_cache"))
def test_what_the_reference_forgets(case: dict[str, Any]) -> None:
    items = list(zip(case["text_lengths"], case["speech_lengths"], strict=True))
    made = [([number] * text, [number] * speech) for number, (text, speech) in enumerate(items)]
    history = History(*made[0])
    for text, speech in made[1:]:
        history.add(text, speech)
    prompt = history.prompt(case["new_text_length"])
    assert [f"t{number}" for number in dict.fromkeys(prompt.text)] == case["kept"]
    assert list(dict.fromkeys(prompt.speech)) == list(dict.fromkeys(prompt.text))
    assert len(prompt.text) == case["prompt_text_length"]
    assert len(prompt.speech) == case["prompt_speech_length"]


@pytest.mark.parametrize("run", document("whole"), ids=lambda run: run["tag"])
def test_the_prompts_of_whole_runs(run: dict[str, Any]) -> None:
    first = run["calls"][0]
    history = History([1] * first["prompt_text_len"], [2] * first["prompt_speech_len"])
    for call in run["calls"]:
        prompt = history.prompt(call["text_len"])
        assert len(prompt.text) == call["prompt_text_len"]
        assert len(prompt.speech) == call["prompt_speech_len"]
        if run["use_cache"]:
            history.add([3] * call["text_len"], [4] * call["out_len"])


def test_what_is_forgotten_stays_so() -> None:
    history = History([0] * 10, [0] * 100)
    history.add([1] * 10, [1] * 400)
    history.add([2] * 10, [2] * 100)
    assert set(history.prompt(20).text) == {0, 2}
    assert set(history.prompt(1).text) == {0, 2}


def test_a_prompt_without_text() -> None:
    history = History([], [5] * 800)
    assert history.prompt(20) == ([], [5] * 800)
    history.add([1], [6])
    assert history.prompt(20) == ([], [5] * 800)


def test_what_is_given_is_not_kept_by_reference() -> None:
    text, speech = [1], [2]
    history = History(text, speech)
    history.prompt(1).text.append(9)
    text.append(9)
    assert history.prompt(1) == ([1], [2])
