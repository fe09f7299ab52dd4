from __future__ import annotations

from pathlib import Path

import pytest

from streamer.engines.glm.voice.encoder import EncodedVoice, VoiceEncoder
from streamer.errors import VoiceUnusable
from tests.engines.glm.golden import TINY, sound
from tests.engines.glm.voice.sounds import file, voiced


def same(one: EncodedVoice, other: EncodedVoice) -> bool:
    return all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and getattr(one, name).shape == getattr(other, name).shape
        and getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in EncodedVoice._fields
    )


def opened(cache: Path | None = None) -> VoiceEncoder:
    return VoiceEncoder.open(TINY, 24_000, "cpu", cache)


@pytest.mark.parametrize(("name", "said"), [("p16k", "2.00 s"), ("p44k_stereo", "2.50 s"), ("p8k_long", "31.30 s")])
def test_only_prompts_of_3_to_10_seconds(name: str, said: str, encoder: VoiceEncoder) -> None:
    with pytest.raises(VoiceUnusable, match=said):
        encoder.encode(sound(name))


def test_shapes(encoder: VoiceEncoder) -> None:
    voice = encoder.encode(sound("p22k"))
    assert [(str(array.dtype), array.shape) for array in voice] == [
        ("int64", (106,)),
        ("float32", (192,)),
        ("float32", (210, 80)),
    ]


def test_nobody_changes_a_shared_voice(encoder: VoiceEncoder) -> None:
    for array in encoder.encode(sound("p22k")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg vorbis"])
def test_other_kinds_of_files_and_stereo(kind: str, encoder: VoiceEncoder) -> None:
    voice = encoder.encode(file(voiced(3.2, 44_100, 2), 44_100, kind))
    assert [len(array) for array in voice] == [80, 192, 160]


def test_a_rate_with_no_divisor(encoder: VoiceEncoder) -> None:
    voice = encoder.encode(file(voiced(3.0, 44_101), 44_101))
    assert [len(array) for array in voice] == [75, 192, 150]


def test_the_same_voice_in_any_order(encoder: VoiceEncoder) -> None:
    """Here, in another encoder, and in one that encodes others first."""
    prompts = [sound("p24k"), file(voiced(3.7, 16_000), 16_000), sound("p22k")]
    there = opened()
    backwards = {prompt: there.encode(prompt) for prompt in reversed(prompts)}
    for prompt in prompts:
        assert same(encoder.encode(prompt), backwards[prompt])


def test_revision_names_what_changes_a_voice(encoder: VoiceEncoder) -> None:
    facts = dict(pair.split("=", 1) for pair in encoder.revision.split(" ") if "=" in pair)
    assert {
        "speech_tokenizer",
        "speaker",
        "rate",
        "code",
        "sound",
        "onnx",
        "torch",
        "torchaudio",
        "numpy",
        "cpu",
    } <= set(facts)
    assert encoder.revision == opened().revision
    assert encoder.revision != VoiceEncoder.open(TINY, 32_000, "cpu", None).revision
