"""Voices that are cloned, on a record's way: presets with prompts, and requests that bring their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.store.verdicts import Completed, Verdict
from streamer.voices import MAX_PROMPT, Voices
from tests.engines.cloning import CLONED, UNUSABLE, CloningEngine
from tests.worker.builders import TroubledStore, encoded, rules, tenure
from tests.worker.test_pipeline import Line

KEY = f"{'0a' * 32}/{'1b' * 32}.wav"


class Cloned(Line):
    """A line whose engine clones."""

    def __init__(
        self, folder: Path, store: TroubledStore | None = None, revision: str | None = None, voices: Voices = CLONED
    ) -> None:
        self.cloning = CloningEngine(revision)
        events = rules(folder)
        super().__init__(engine=self.cloning, store=store, folders=[folder], voices=voices, events=events)

    def inline(self, offset: int, audio: object, text: str | None = "hello", **fields: object) -> None:
        prompt = {"prompt_audio": str(audio), "prompt_text": "您好"}
        self.receive(encoded(f"id-{offset}", text, prompt=prompt, **fields), offset)


@pytest.fixture
def line(tmp_path: Path) -> Cloned:
    (tmp_path / "a.wav").write_bytes(b"sound")
    return Cloned(tmp_path)


def waits(line: Line) -> bool:
    """For the store to come back."""
    return line.pipeline.backing_off


def recipe(line: Line, offset: int) -> tuple[str, str, str]:
    """Voice, its hash, revision."""
    verdict = line.verdict(offset)
    assert isinstance(verdict, Verdict) and isinstance(verdict.state, Completed)
    made = verdict.state.recipe
    return made.voice, made.voice_hash, made.revision


def test_a_preset_with_a_prompt_is_spoken_and_one_without_fails(line: Cloned) -> None:
    line.receive(encoded("id-0"), 0)  # the default, which has one
    line.receive(encoded("id-1", voice="plain"), 1)
    line.turn()
    assert line.codes() == {0: "ok", 1: "voice_unknown"}
    assert "preset 'plain' has no prompt" in line.failed(1).message
    assert "voices.file" in line.failed(1).message
    assert line.failed(1).retryable
    assert line.completed(0).voice == "vip"
    assert line.cloning.heard == [("hello", b"a voice")]
    assert line.idle()


def test_a_request_brings_its_own_voice(line: Cloned, tmp_path: Path) -> None:
    line.store.put(KEY, b"stored")
    line.inline(0, tmp_path / "a.wav")
    line.inline(1, (tmp_path / "a.wav").as_uri())
    line.inline(2, line.store.uri(KEY))
    before = line.pipeline.load
    line.turn()
    assert line.codes() == dict.fromkeys(range(3), "ok")
    assert sorted(line.cloning.heard) == [("hello", b"sound"), ("hello", b"sound"), ("hello", b"stored")]
    assert line.completed(0).voice == "prompt"
    assert recipe(line, 0) == recipe(line, 1)
    assert recipe(line, 0)[1] != recipe(line, 2)[1]
    assert before > 3 * 125
    assert line.idle()


def test_an_event_may_bring_one_too(line: Cloned, tmp_path: Path) -> None:
    """It comes before the rule's voice."""
    line.inline(0, tmp_path / "a.wav", None, event={"type": "paid", "data": '{"n": 7}'})
    line.turn()
    assert line.codes() == {0: "ok"}
    assert line.cloning.heard == [("order 7 is paid", b"sound")]
    assert line.idle()


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("{folder}/none.wav", "No such file"),
        ("{folder}/large.wav", "more than"),
        ("/etc/hostname", "voices.prompt_folders"),
        ("https://example.org/a.wav", "voices.prompt_folders"),
        ("memory:///" + KEY, "was deleted"),
        ("memory:///store/id", "voices.prompt_folders"),
    ],
)
def test_what_cannot_be_had_fails_its_request_alone(line: Cloned, tmp_path: Path, named: str, says: str) -> None:
    with (tmp_path / "large.wav").open("wb") as large:
        large.truncate(MAX_PROMPT + 1)
    line.inline(0, named.format(folder=tmp_path))
    line.receive(encoded("id-1"), 1)
    line.turn()
    assert line.codes() == {0: "voice_unknown", 1: "ok"}
    assert line.failed(0).message.startswith("prompt.prompt_audio: ")
    assert says in line.failed(0).message
    assert line.failed(0).attempts == 0
    assert line.idle()


def test_what_is_wrong_with_its_text_is_said_before_its_prompt_is_read(line: Cloned, tmp_path: Path) -> None:
    line.inline(0, tmp_path / "a.wav", "x" * 101)
    line.pipeline.turn()
    line.pool.work()
    line.pipeline.turn()
    assert [job.operation for job in line.pool.jobs] == ["keep_failure"]
    line.turn()
    assert line.codes() == {0: "text_too_long"}


def test_what_stands_is_emitted_though_its_prompt_is_gone(line: Cloned, tmp_path: Path) -> None:
    line.inline(0, tmp_path / "a.wav")
    line.turn()
    (tmp_path / "a.wav").unlink()
    other = Cloned(tmp_path, store=line.store)
    other.inline(0, tmp_path / "a.wav")
    other.turn()
    assert other.codes() == {0: "ok"}
    assert other.cloning.heard == []


def test_a_prompt_is_read_in_the_pool_and_waited_for_while_the_store_is_down(line: Cloned) -> None:
    line.store.put(KEY, b"stored")
    line.inline(0, line.store.uri(KEY))
    line.pipeline.turn()
    line.pool.work()
    line.pipeline.turn()
    assert [job.operation for job in line.pool.jobs] == ["read_prompt"]
    line.store.down = True
    for _ in range(5):
        line.turn()
        line.clock.advance(10)
        assert waits(line)
        assert line.codes() == {}
    line.store.down = False
    line.turn()
    assert line.codes() == {0: "ok"}
    assert not waits(line)
    assert line.idle()


def test_a_prompt_that_the_store_does_not_have_ends_its_outage(line: Cloned) -> None:
    """Nothing else waits that could find out."""
    line.inline(0, line.store.uri(KEY))
    line.pipeline.turn()
    line.pool.work()
    line.pipeline.turn()
    line.store.down = True
    line.turn()
    assert waits(line)
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    line.store.down = False
    line.clock.advance(10)
    line.turn()
    assert not waits(line)
    assert line.idle()


def test_a_file_says_nothing_of_the_store(line: Cloned, tmp_path: Path) -> None:
    line.inline(0, tmp_path / "a.wav")
    line.receive(encoded("id-1"), 1)
    line.pipeline.turn()
    line.pool.work()  # both are looked up
    line.pipeline.turn()
    assert [job.operation for job in line.pool.jobs] == ["read_attempts", "read_file"]
    line.store.down = True
    line.pool.work()
    line.pipeline.turn()
    assert waits(line)
    line.store.down = False
    line.clock.advance(10)
    line.turn()
    assert line.codes() == {0: "ok", 1: "ok"}


def test_whose_tenure_is_over_is_read_for_nobody(line: Cloned, tmp_path: Path) -> None:
    line.inline(0, tmp_path / "a.wav")
    line.pipeline.turn()
    line.pool.work()
    line.pipeline.turn()
    line.tenure.alive = False
    line.pipeline.drop(line.tenure)
    line.turn()
    assert line.cloning.heard == []
    assert line.idle()
    line.tenure = tenure()
    line.inline(0, tmp_path / "a.wav")
    line.turn()
    assert line.codes() == {0: "ok"}


def test_a_prompt_that_no_voice_can_be_made_of_fails_at_once(line: Cloned, tmp_path: Path) -> None:
    """Not tried again, and no sign of a bad deploy, however many there are."""
    (tmp_path / "noise.wav").write_bytes(UNUSABLE)
    for offset in range(40):
        if offset % 2:
            line.inline(offset, tmp_path / "noise.wav")
        else:
            line.receive(encoded(f"id-{offset}", voice="noise"), offset)
    line.turn(60)
    assert line.codes() == dict.fromkeys(range(40), "voice_unknown")
    assert line.failed(1).message == "voice prompt: nothing can be cloned from noise"
    assert line.failed(0).message == "voice noise: nothing can be cloned from noise"
    assert line.failed(0).attempts == 0
    assert len(line.cloning.heard) == 40
    assert line.idle()


def test_a_recipe_names_the_revision_that_spoke(tmp_path: Path) -> None:
    line = Cloned(tmp_path, revision="2+0.005+dictionary")
    line.receive(encoded("id-0"), 0)
    line.turn()
    line.cloning.revision = None
    line.receive(encoded("id-1"), 1)
    line.turn()
    assert recipe(line, 0)[2] == "2+0.005+dictionary"
    assert line.completed(0).engine.revision == "2+0.005+dictionary"
    assert recipe(line, 1)[2] == line.cloning.profile.revision
