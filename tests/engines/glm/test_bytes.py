"""The same bytes in another process, in another order and company, in every precision and at both rates."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from streamer.engines.glm.code import code_digest
from streamer.engines.glm.revision import revision
from tests.engines.contract import speak
from tests.engines.glm.golden import TINY
from tests.engines.glm.speaking import open_here, settings, utterance, voice

_PROGRAM = """
import json, sys
from pathlib import Path
from tests.engines.glm.test_bytes import digests
cache, changes, order = json.loads(sys.argv[1])
print(json.dumps(digests(Path(cache), changes, order)))
"""
_VOCOS = hashlib.sha256(TINY.vocos.read_bytes()).hexdigest()
_UTTERANCES = [
    utterance("Your order 42 has been paid."),
    utterance("重庆很重要。", phoneme=True, voice=voice("p22k")),
    utterance("第一份报告写好了，请您有空的时候打开看一看，谢谢您的耐心等待。好的。", seed=7),
    utterance("好"),
]


def digests(cache: Path, changes: dict[str, Any], order: Sequence[int]) -> list[str]:
    """Of each utterance's samples, spoken together in that order."""
    engine = open_here(cache, **changes)
    try:
        sounds = speak(engine, *(_UTTERANCES[index] for index in order))
    finally:
        engine.close()
    by_index = dict(zip(order, sounds, strict=True))
    return [hashlib.sha256(by_index[index].tobytes()).hexdigest() for index in sorted(order)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"llm_precision": "bf16", "flow_precision": "bf16", "sample_rate": 32_000, "vocos_sha256": _VOCOS},
        {"flow_rows": 2, "vocoder_rows": 2, "sampling": "topk", "use_cache": False, "pause": 0.2},
    ],
    ids=["as shipped", "bf16 at 32 kHz", "otherwise"],
)
def test_the_same_after_a_restart_whatever_else_is_spoken(changes: dict[str, Any], glm_cache: Path) -> None:
    together = digests(glm_cache, changes, [0, 1, 2, 3])
    assert len(set(together)) == 4
    arguments = json.dumps([str(glm_cache), changes, [3, 2, 1, 0]])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == together
    assert digests(glm_cache, changes, [2]) == [together[2]]


def test_the_same_whoever_goes_first(glm_cache: Path) -> None:
    policy = {"largest_cost": 500, "longest_wait": 0.001, "short_share": 0.5, "short_cost": 1, "fair_sources": False}
    sounds, capacities = [], []
    for schedule, order in ({}, [0, 3]), (policy, [3, 0]):
        engine = open_here(glm_cache, rows=2, schedule=schedule)
        spoken = speak(engine, *(_UTTERANCES[index] for index in order))
        sounds.append({index: sound.tobytes() for index, sound in zip(order, spoken, strict=True)})
        capacities.append(engine.profile.capacity)
        engine.close()
    assert sounds[0] == sounds[1]
    assert capacities == [4_000, 500]


@pytest.mark.parametrize(
    ("changed", "counts"),
    [("synthesizer.py", True), ("llm/decoder.py", True), ("scheduler.py", False), ("checkpoint/tiny/noise.py", False)],
)
def test_the_revision_names_the_code_that_sound_passes_through(changed: str, counts: bool, tmp_path: Path) -> None:
    digests = []
    for text in ("", "pass"):
        folder = tmp_path / f"code {text}"
        for name in ("synthesizer.py", "llm/decoder.py", "scheduler.py", "checkpoint/tiny/noise.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text if name == changed else "")
        digests.append(code_digest(folder))
    assert (digests[0] != digests[1]) == counts


def test_the_revision_names_what_was_chosen(glm_cache: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"rows": 4},
        {"llm_precision": "bf16"},
        {"pause": 0.2},
        {"positions": 1024},
        {"phoneme": True},
        {"draws": "reference"},
    ]
    read = {"weights": "w", "text": "t"}
    named = [revision(settings(glm_cache, **change), torch.device("cpu"), read) for change in changes]
    named += [revision(settings(glm_cache), torch.device("cpu"), read | {name: "other"}) for name in read]
    assert len(set(named)) == len(changes) + 2
    silent: list[dict[str, Any]] = [{}, {"schedule": {"short_share": 0.5, "longest_wait": 1.0, "fair_sources": False}}]
    for change in silent:
        assert named[0] == revision(settings(glm_cache, **change), torch.device("cpu"), read)


def test_a_dictionary_that_changes_is_another_revision(tmp_path: Path, glm_cache: Path) -> None:
    dictionary = tmp_path / "words.jsonl"
    dictionary.write_text('{"弦": "<|X|><|IAN2|>"}\n', encoding="utf-8")
    engine = open_here(glm_cache, dictionary=dictionary)
    said = utterance("弦很好听。", phoneme=True)
    first = engine.profile.revision
    (before,) = speak(engine, said)
    dictionary.write_text('{"弦": "<|X|><|IAN4|>"}\n', encoding="utf-8")
    (after,) = speak(engine, said)
    assert before.tobytes() != after.tobytes()
    assert engine.profile.revision != first
