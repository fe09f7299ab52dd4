"""A verdict whose audio is gone when its own record is read again: taken by hand, by a lost bucket, or deleted."""

from __future__ import annotations

import msgspec
import pytest

from streamer.errors import StopWorker
from streamer.identity import Identity
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed, Verdict, audio_key
from tests.worker.builders import encoded, tenure
from tests.worker.test_pipeline import Line

SAID = Identity("shop", "id-0")


@pytest.fixture
def line() -> Line:
    """It spoke one record, and its worker died before the commit."""
    line = Line()
    line.receive(encoded("id-0"), 0)
    line.turn()
    assert line.codes() == {0: "ok"}
    return line


def audio_of(line: Line) -> str:
    verdict = line.verdict(0)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.state, Completed)
    return audio_key(verdict.identity, verdict.state.audio)


def code_of_the_next_tenure(line: Line) -> str:
    again = tenure()
    line.receive(encoded("id-0"), 0, of=again)
    line.turn()
    return line.settled(again)[0].code


def test_the_same_bytes_are_made_again(line: Line) -> None:
    key = audio_of(line)
    data = line.store.get(key)
    line.store.delete(key)
    assert code_of_the_next_tenure(line) == "ok"
    assert line.engine.submitted == ["hello", "hello"]
    assert line.store.get(key) == data


@pytest.mark.parametrize("fails", [False, True])
def test_other_bytes_stop_the_worker_until_the_result_is_given_up(line: Line, fails: bool) -> None:
    verdict = line.verdict(0)
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.state, Completed)
    other = msgspec.structs.replace(verdict.state.audio, uri=f"memory:///{SAID.folder}/{'0' * 64}.wav")
    named = msgspec.structs.replace(verdict, state=msgspec.structs.replace(verdict.state, audio=other))
    line.store.replace(f"{SAID.folder}/verdict-1.json", msgspec.json.encode(named))
    if fails:
        line.engine.fails.add("hello")
    with pytest.raises(StopWorker, match=r"'id-0': its audio .* is gone.*restore the file.*`streamer delete`"):
        code_of_the_next_tenure(line)
    bury(line.store, SAID, 5)
    assert code_of_the_next_tenure(Line(store=line.store)) == "deleted"


def test_what_was_deleted_ends_as_deleted_without_being_spoken(line: Line) -> None:
    bury(line.store, SAID, 5)
    assert code_of_the_next_tenure(line) == "deleted"
    assert line.engine.submitted == ["hello"]
    assert [key for key in line.store.list("") if not key.endswith(".json")] == []
