from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.resources import folder
from streamer.voices import MAX_PROMPT, PromptSound, Voice, Voices


def load(tmp_path: Path, text: str) -> Voices:
    file = tmp_path / "voices.toml"
    file.write_text(text, encoding="utf-8")
    return Voices.load(file)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, text)
    assert all("voices.toml" in problem for problem in raised.value.problems)
    return raised.value.problems


def test_the_shipped_presets() -> None:
    voices = Voices.load(folder("configs") / "voices.toml")
    assert voices.names == ("support", "manager", "vip", "news")
    presets = [voices.get(name) for name in voices.names]
    assert all(preset and preset.description for preset in presets)
    assert len({preset.hash for preset in presets if preset}) == 4


def test_a_voice_is_got_by_name_or_by_default(tmp_path: Path) -> None:
    voices = load(tmp_path, 'default = "b"\n[voices.a]\nrate = 100\n[voices.b]\n')
    assert voices.get("a") == Voice(name="a", rate=100)
    assert voices.get(None) == voices.get("") == voices.get("b") == Voice(name="b")
    assert voices.get("c") is None


def test_the_hash_is_of_the_sound_only() -> None:
    plain = Voice(name="a")
    assert Voice(name="b", description="another").hash == plain.hash
    others = [Voice(name="a", rate=171), Voice(name="a", pitch=51), Voice(name="a", volume=101)]
    assert len({plain.hash, *(voice.hash for voice in others)}) == 4


@pytest.mark.parametrize(("field", "low", "high"), [("rate", 80, 450), ("pitch", 0, 99), ("volume", 0, 200)])
def test_the_limits(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(Voice(name="a", **{field: value}), field) == value  # type: ignore[arg-type]
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"{field} is {value}, allowed are {low} to {high}"):
            Voice(name="a", **{field: value})  # type: ignore[arg-type]


def test_all_wrong_presets_are_listed_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        default = "a"
        tempo = 3
        [voices.a]
        rate = 9000
        [voices.b]
        pitch = "high"
        [voices.c]
        speed = 3
        [voices.d]
        """,
    )
    assert len(found) == 4
    assert "tempo" in found[0]
    assert "'a'" in found[1] and "rate is 9000" in found[1]
    assert "'b'" in found[2] and "pitch" in found[2]
    assert "'c'" in found[3] and "speed" in found[3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no [voices.<name>]"),
        ("[voices]\n", "no [voices.<name>]"),
        ("voices = 3\n", "no [voices.<name>]"),
        ("[voices.a]\n", "default is ''"),
        ('default = "b"\n[voices.a]\n[voices.c]\n', "default is 'b', but the voices are a, c"),
        ("[voices.a\n", "line 1"),
        ('default = "a"\n[voices]\na = 5\n', "'a'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert reason in problem


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.toml"):
        Voices.load(tmp_path / "nothing.toml")
    (tmp_path / "latin.toml").write_bytes(b'default = "\xe9"')
    with pytest.raises(ConfigurationError, match=r"latin\.toml"):
        Voices.load(tmp_path / "latin.toml")


# Prompts


def test_a_prompt_is_read_beside_the_file_or_where_it_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "王.wav").write_bytes(b"beside")
    (tmp_path / "elsewhere").write_bytes(b"elsewhere")
    voices = load(
        tmp_path,
        f"""
        default = "a"
        [voices.a]
        rate = 100
        prompt_audio = "sounds/王.wav"
        prompt_text = "您好"
        [voices.b]
        [voices.c]
        prompt_audio = "{tmp_path / "elsewhere"}"
        prompt_text = "hello"
        """,
    )
    a, b, c = (voices.get(name) for name in "abc")
    assert a and b and c
    assert a.prompt == PromptSound(b"beside", "您好", hashlib.sha256(b"beside").hexdigest())
    assert a.rate == 100
    assert b.prompt is None
    assert c.prompt and c.prompt.audio == b"elsewhere"
    assert voices.with_prompts == ("a", "c")


def test_the_hash_of_a_voice_without_a_prompt_is_what_it_ever_was() -> None:
    """It stands in verdicts, and a replay compares it."""
    assert Voice(name="a").hash == "3aa61096dfe6c02d"
    assert Voice(name="vip", rate=135, pitch=66).hash == "7f3e8326b1bbc37c"


def test_the_hash_is_of_the_prompt_too() -> None:
    def voice(audio: bytes, text: str, rate: int = 170) -> Voice:
        return Voice(name="a", rate=rate, prompt=PromptSound.of(audio, text))

    hashes = {
        Voice(name="a").hash,
        voice(b"x", "t").hash,
        voice(b"y", "t").hash,
        voice(b"x", "u").hash,
        voice(b"x", "t", rate=171).hash,
    }
    assert len(hashes) == 5
    assert voice(b"x", "t").hash == Voice(name="b", prompt=PromptSound.of(b"x", "t")).hash


def test_a_sound_is_not_shown_whole() -> None:
    shown = repr(Voice(name="a", prompt=PromptSound.of(b"\0" * 1_000_000, "好" * 1000)))
    assert len(shown) < 400
    assert "1000000 bytes" in shown


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ('prompt_audio = "a.wav"', "prompt_text is missing beside prompt_audio"),
        ('prompt_text = "hello"', "prompt_audio is missing beside prompt_text"),
        ('prompt_audio = "a.wav"\nprompt_text = " "', "prompt_text is missing"),
        ('prompt_audio = ""\nprompt_text = "hello"', "prompt_audio is missing"),
        ('prompt_audio = "none.wav"\nprompt_text = "hello"', "none.wav: No such file"),
        ('prompt_audio = "."\nprompt_text = "hello"', "Is a directory"),
        ('prompt_audio = "empty.wav"\nprompt_text = "hello"', "empty.wav: is empty"),
        ('prompt_audio = "large.wav"\nprompt_text = "hello"', "large.wav: has more than 20971520 bytes"),
        ('prompt_audio = "a\\u0000.wav"\nprompt_text = "hello"', "null byte"),
        ("prompt_audio = 3", "prompt_audio"),
        ('prompt = "a.wav"', "prompt"),
    ],
)
def test_what_is_wrong_with_a_prompt_is_named(tmp_path: Path, fields: str, reason: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    (tmp_path / "empty.wav").touch()
    with (tmp_path / "large.wav").open("wb") as large:
        large.truncate(MAX_PROMPT + 1)
    (problem,) = problems(tmp_path, f'default = "a"\n[voices.a]\n{fields}\n')
    assert "voice 'a'" in problem
    assert reason in problem
