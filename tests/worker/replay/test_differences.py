"""Why what a replay makes is not what stands, and that it is, whatever shared the batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.settings import Audio
from streamer.voices import Voice, Voices
from streamer.worker.replay.run import Mode
from tests.worker.builders import VOICES, rules
from tests.worker.replay.rig import (
    DIFFERENT,
    IDENTICAL,
    PROMOTED,
    Deployed,
    Fickle,
    ReplayRig,
    outcomes,
    spoken,
    the_only,
    tone,
)

RENAMED = Voices({"plain": Voice(name="plain", rate=190), "vip": Voice(name="vip", rate=135)}, "plain")
SWAPPED = Voices(dict(VOICES._voices), "vip")
EVENT = {"type": "paid", "data": '{"n": 7}'}


@pytest.mark.parametrize(
    ("deployed", "reasons", "message"),
    [
        (Deployed(engine=lambda: tone(0.006)), ["engine"], "engine: tone 2+0.005 → tone 2+0.006"),
        (Deployed(voices=RENAMED), ["voice"], "voice: plain "),
        (Deployed(voices=SWAPPED), ["voice"], "→ vip "),
        (Deployed(audio=Audio(format="flac")), ["format"], "wav at 24000 Hz in .wav → flac at 24000 Hz in .flac"),
        (Deployed(audio=Audio(sample_rate=16_000)), ["format"], "wav at 24000 Hz in .wav → wav at 16000 Hz in .wav"),
        (Deployed(engine=Fickle), ["nondeterminism"], "nothing that is recorded changed"),
    ],
)
def test_a_difference_has_its_reason(deployed: Deployed, reasons: list[str], message: str) -> None:
    rig = spoken("a")
    one = the_only(rig.replay(rig.run(), deployed))
    assert (one.outcome, one.reasons) == (DIFFERENT, reasons)
    assert message in one.message


def test_a_corrected_template_says_both_texts(tmp_path: Path) -> None:
    old = Deployed(events=rules(tmp_path, '[events.paid]\ntemplate = "ordr {{ data.n }} is paid"\n'))
    new = Deployed(events=rules(tmp_path, '[events.paid]\ntemplate = "order {{ data.n }} is paid"\n'))
    rig = spoken("a", deployed=old, event=EVENT)
    one = the_only(rig.replay(rig.run(Mode.PROMOTE), new))
    assert (one.outcome, one.reasons, one.text) == (PROMOTED, ["template", "text"], "order 7 is paid")
    assert "text: 'ordr 7 is paid' → 'order 7 is paid'" in one.message


def test_speech_that_is_rejected_is_made_again_with_the_same_next_seed() -> None:
    rig = ReplayRig()
    rig.publish("a", "[[silent:5]]", seed=5)
    rig.speak()
    one = the_only(rig.replay(rig.run()))
    assert one.outcome == IDENTICAL
    assert one.engine is not None
    assert one.engine.seed == rig.completed()[0].engine.seed == 6


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_bytes_are_the_same_whatever_shared_the_batch(rows: int) -> None:
    rig = ReplayRig(partitions=2)
    for number in range(30):
        rig.publish(str(number), "word " * (1 + number * 7 % 13), partition=number % 2)
    rig.speak(Deployed(engine=lambda: tone(rows=4, cost_per_character=0.001)))
    replayed = rig.replay(rig.run(), Deployed(engine=lambda: tone(rows=rows, cost_per_character=0.002)))
    assert outcomes(replayed) == [IDENTICAL] * 30
