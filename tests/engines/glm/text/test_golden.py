"""Every case of text.json, whole."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.text.phonemes import Words, sounds
from streamer.engines.glm.text.segment import Segment
from streamer.engines.glm.text.splitting import Syllables, length, split, units
from streamer.engines.glm.text.tables import read_tables
from streamer.engines.glm.text.tokenizer import SpecialTokens, Tokenizer
from tests.engines.glm.golden import document

CASES: list[dict[str, Any]] = document("text")["cases"]
SPLITS: list[dict[str, Any]] = document("text")["split"]
SOUNDS: dict[str, list[str]] = document("text")["g2p"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_text_becomes_the_references_segments(case: dict[str, Any], front: TextFront, tokenizer: Tokenizer) -> None:
    assert front.normalize(case["raw"]) == case["normalized"]
    assert tokenizer.encode(case["normalized"]) == case["ids"]
    assert front.prompt_ids(case["raw"]) == case["prompt_ids"]
    plain, phonemes = front.segments(case["raw"], False), front.segments(case["raw"], True)
    assert plain == [Segment(segment["normalized"], segment["ids"]) for segment in case["segments"]]
    assert phonemes == [Segment(segment["phonemized"], segment["ids_phoneme"]) for segment in case["segments"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_normalized_text_splits_as_the_references(case: dict[str, Any], syllables: Syllables) -> None:
    assert split(case["normalized"], syllables) == [segment["split"] for segment in case["segments"]]


@pytest.mark.parametrize("case", SPLITS, ids=lambda case: case["text"][:12])
def test_units_lengths_and_segments_are_the_references(case: dict[str, Any], syllables: Syllables) -> None:
    total = 0.0
    for unit in units(case["text"]):
        total += length(unit, syllables)
    assert units(case["text"]) == case["units"]
    assert total == case["count"]
    assert split(case["text"], syllables) == case["split_30_60"]
    assert split(case["text"], syllables, 5, 40) == case["split_5_40"]


@pytest.mark.parametrize("text", SOUNDS)
def test_characters_sound_as_the_references(text: str, words: Words) -> None:
    found = [sound for _, sound in sounds(text, words)]
    assert None not in found
    spelled = [[part for part in sound if part] for sound in found if sound]
    assert "-".join(" ".join(parts) for parts in spelled) == " ".join(SOUNDS[text]).replace(" - ", "-")


def test_control_tokens_are_found_by_name(tokenizer: Tokenizer) -> None:
    ids = document("text")["special"]
    assert tokenizer.special == SpecialTokens(
        end_of_audio=ids["eoa"],
        begin_of_audio=ids["boa"],
        audio_first=ids["ats"],
        audio_last=ids["ate"],
        endoftext=ids["pad"],
    )


def test_the_shipped_data_is_the_references(front: TextFront, tokenizer: Tokenizer) -> None:
    tables, expected = read_tables(), document("front_end_tables")
    assert tables.safe == set(expected["keep_as_characters"])
    assert list(tables.before.items()) == [tuple(pair) for pair in expected["replace_before_normalizing"]]
    assert tokenizer.phonemes == {f"<|{name}|>" for name in expected["phonemes"]}
    assert front.problems == ()
