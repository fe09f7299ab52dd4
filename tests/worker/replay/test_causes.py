from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamer.records import Audio, Timings
from streamer.store.verdicts import Completed, Recipe
from streamer.worker.replay.causes import Reason, causes

AUDIO = Audio(
    uri="memory:///f/s.wav",
    format="wav",
    sample_rate=24_000,
    frames=24,
    duration=0.001,
    bytes=92,
    sha256="s",
    pcm_sha256="p",
)
RECIPE = Recipe(
    text="hello",
    voice="plain",
    voice_hash="0123456789abcdef",
    engine="tone",
    revision="2",
    seed=1,
    template="t1",
    bounds="b1",
    encoder="e1",
)
BEFORE = Completed(audio=AUDIO, recipe=RECIPE, timings=Timings(queued=0, synthesis=0, durable=0))


def now(audio: dict[str, Any] | None = None, **recipe: Any) -> Completed:
    return Completed(
        audio=msgspec.structs.replace(AUDIO, sha256="other", **(audio or {})),
        recipe=msgspec.structs.replace(RECIPE, **recipe),
        timings=BEFORE.timings,
    )


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, ["nondeterminism"]),
        ({"engine": "glm"}, ["engine"]),
        ({"revision": "3"}, ["engine"]),
        ({"voice_hash": "f"}, ["voice"]),
        ({"voice": "renamed"}, ["nondeterminism"]),
        ({"text": "hallo"}, ["text"]),
        ({"text": "hallo", "template": "t2"}, ["template", "text"]),
        ({"voice_hash": "f", "template": "t2"}, ["voice", "template"]),
        ({"template": "t2"}, ["nondeterminism"]),
        ({"revision": "3", "template": "t2"}, ["engine"]),
        ({"seed": 2}, ["seed"]),
        ({"seed": 2, "bounds": "b2"}, ["seed", "bounds"]),
        ({"bounds": "b2"}, ["nondeterminism"]),
        ({"encoder": "e2"}, ["encoder"]),
        ({"audio": {"format": "flac"}}, ["format"]),
        ({"audio": {"sample_rate": 8_000}}, ["format"]),
        ({"audio": {"uri": "memory:///f/s.raw"}}, ["format"]),
        ({"revision": "3", "text": "hallo", "encoder": "e2"}, ["engine", "text", "encoder"]),
    ],
)
def test_what_changed_and_may_have_changed_a_byte_is_a_reason(changed: dict[str, Any], reasons: list[str]) -> None:
    found = causes(BEFORE, now(**changed))
    assert [cause.reason for cause in found] == reasons


def test_a_person_reads_both_values() -> None:
    found = causes(BEFORE, now({"format": "flac"}, revision="3", voice_hash="fedcba987", seed=2, encoder="e2"))
    assert [cause.message for cause in found] == [
        "engine: tone 2 → tone 3",
        "voice: plain 01234567 → plain fedcba98",
        "seed: 1 → 2",
        "format: wav at 24000 Hz in .wav → flac at 24000 Hz in .wav",
        "encoder: e1 → e2",
    ]


def test_a_verdict_from_before_the_encoder_was_recorded() -> None:
    older = Completed(audio=AUDIO, recipe=msgspec.structs.replace(RECIPE, encoder=""), timings=BEFORE.timings)
    assert [cause.message for cause in causes(older, now())] == ["encoder: none → e1"]


@pytest.mark.parametrize(
    ("was", "is_", "message"),
    [
        ("a" * 300, "a" * 200 + "b" * 100, f"'…{'a' * 60}…' → '…{'a' * 20}{'b' * 40}…'"),
        ("short", "short one", "'short' → 'short one'"),
        ("", "one", "'' → 'one'"),
        ("您好", "你好", "'您好' → '你好'"),
    ],
)
def test_long_texts_are_shown_where_they_part(was: str, is_: str, message: str) -> None:
    before = Completed(audio=AUDIO, recipe=msgspec.structs.replace(RECIPE, text=was), timings=BEFORE.timings)
    (cause,) = causes(before, now(text=is_))
    assert cause == (Reason.TEXT, f"text: {message}")
