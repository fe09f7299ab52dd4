"""Replays of voices that are cloned: the same prompt is found again, and what became of it otherwise is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.voices import PromptSound, Voice, Voices
from streamer.worker.replay.run import Mode
from tests.engines.cloning import CLONED, CloningEngine
from tests.worker.replay.rig import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    PROMOTED,
    Deployed,
    ReplayRig,
    the_only,
)

AS_EVER = Deployed(engine=CloningEngine, voices=CLONED)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    file = tmp_path / "a.wav"
    file.write_bytes(b"sound")
    return file


def spoken(folder: Path, **fields: Any) -> ReplayRig:
    """A rig whose service has spoken one request of these fields."""
    rig = ReplayRig()
    voices = rig.settings.voices.model_copy(update={"prompt_folders": [folder]})
    rig.settings = rig.settings.model_copy(update={"voices": voices})
    rig.publish("a", "the text of a", **fields)
    rig.speak(AS_EVER)
    assert len(rig.completed()) == 1
    return rig


def prompt(named: object) -> dict[str, str]:
    return {"prompt_audio": str(named), "prompt_text": "您好"}


def test_the_same_prompt_makes_the_same_bytes(sound: Path) -> None:
    rig = spoken(sound.parent, prompt=prompt(sound))
    one = the_only(rig.replay(rig.run(), AS_EVER))
    assert (one.outcome, one.reasons, one.voice) == (IDENTICAL, [], "prompt")


def test_a_prompt_whose_content_changed_is_another_voice(sound: Path) -> None:
    rig = spoken(sound.parent, prompt=prompt(sound))
    sound.write_bytes(b"another")
    one = the_only(rig.replay(rig.run(), AS_EVER))
    assert (one.outcome, one.reasons) == (DIFFERENT, ["voice"])
    assert one.message.startswith("voice: prompt ")
    assert the_only(rig.replay(rig.run(Mode.PROMOTE, "again"), AS_EVER)).outcome == PROMOTED


def test_a_prompt_that_is_gone_fails_for_its_voice(sound: Path) -> None:
    rig = spoken(sound.parent, prompt=prompt(sound))
    sound.unlink()
    one = the_only(rig.replay(rig.run(), AS_EVER))
    assert (one.outcome, one.reasons, one.code) == (FAILED, ["voice"], "voice_unknown")
    assert "No such file" in one.message
    assert len(rig.verdicts("a")) == 1


def test_an_audio_of_the_store_is_a_prompt_until_it_is_deleted(sound: Path) -> None:
    rig = spoken(sound.parent)
    named = rig.completed()[0].audio.uri
    rig.publish("b", "another text", prompt=prompt(named))
    rig.speak(AS_EVER)
    first, second = rig.replay(rig.run(), AS_EVER)
    assert (first.outcome, second.outcome) == (IDENTICAL, IDENTICAL)
    rig.lose("a")
    first, second = rig.replay(rig.run(Mode.VERIFY, "again"), AS_EVER)
    assert (first.outcome, first.reasons) == (DIFFERENT, ["missing"])
    assert (second.outcome, second.reasons) == (FAILED, ["voice"])
    assert "was deleted" in second.message


def test_a_preset_with_another_prompt_is_another_voice(sound: Path) -> None:
    rig = spoken(sound.parent)
    vip = CLONED.get("vip")
    assert vip is not None
    other = msgspec.structs.replace(vip, prompt=PromptSound.of(b"another voice", "您好"))
    changed = Deployed(engine=CloningEngine, voices=Voices({"vip": other}, "vip"))
    one = the_only(rig.replay(rig.run(), changed))
    assert (one.outcome, one.reasons) == (DIFFERENT, ["voice"])
    without = Deployed(engine=CloningEngine, voices=Voices({"vip": Voice(name="vip")}, "vip"))
    one = the_only(rig.replay(rig.run(Mode.VERIFY, "again"), without))
    assert (one.outcome, one.reasons, one.code) == (FAILED, ["voice"], "voice_unknown")


def test_a_revision_that_changed_while_it_ran_is_told(sound: Path) -> None:
    rig = spoken(sound.parent)
    one = the_only(rig.replay(rig.run(), AS_EVER._replace(engine=lambda: CloningEngine("3"))))
    assert one.engine is not None and one.engine.revision == "3"
