"""What a replay does with each record, by its table and its mode. Shipped workers on the in-memory cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.identity import Identity
from streamer.kafka.base import Message
from streamer.records import FOLLOWS, TASK_ID, TRACEPARENT
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed
from streamer.worker.replay.run import Mode
from tests.worker.builders import TOPIC, rules
from tests.worker.replay.rig import (
    ANOTHER,
    AS_EVER,
    DIFFERENT,
    IDENTICAL,
    PROMOTED,
    SKIPPED,
    Deployed,
    Heard,
    ReplayRig,
    file_of,
    outcomes,
    refusing,
    spoken,
    the_only,
    told,
)

MODES = list(Mode)


# Modes


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_are_identical(mode: Mode) -> None:
    rig = spoken("a", "b")
    before = rig.verdicts("a"), rig.files("a")
    replayed = rig.replay(rig.run(mode))
    assert told(replayed) == [(IDENTICAL, [])] * 2
    assert (rig.verdicts("a"), rig.files("a")) == before
    one = replayed[0]
    assert one.audio == one.previous
    assert one.audio is not None
    assert (one.run, one.generation, one.message, one.code) == ("run/1", 1, "", None)
    assert (one.text, one.voice) == ("the text of a", "plain")
    assert one.engine is not None
    assert one.engine.name == "tone"


def test_verify_writes_no_audio_and_no_verdict() -> None:
    rig = spoken("a", "b")
    rig.store.calls.clear()
    replayed = rig.replay(rig.run(Mode.VERIFY), ANOTHER)
    assert outcomes(replayed) == [DIFFERENT] * 2
    written = {key for operation, key in rig.store.calls if operation in ("put", "replace", "delete")}
    assert all(key.startswith("groups/") for key in written)
    assert replayed[0].audio is not None
    assert replayed[0].audio.sha256 not in "".join(rig.files("a"))


def test_verify_asks_the_store_once_about_a_record() -> None:
    """Each question may be a request over a network, and nothing was written that others could have come across."""
    rig = spoken("a")
    rig.store.calls.clear()
    rig.replay(rig.run(Mode.VERIFY))
    folder = Identity("shop", "a").folder
    asked = [key for operation, key in rig.store.calls if key.startswith(folder) and operation in ("get", "size")]
    assert asked.count(f"{folder}/verdict-1.json") == asked.count(f"{folder}/verdict-2.json") == 1


def test_regenerate_keeps_the_audio_and_leaves_the_old_one_current() -> None:
    rig = spoken("a")
    old = file_of(rig.verdicts("a")[0])
    one = the_only(rig.replay(rig.run(Mode.REGENERATE), ANOTHER))
    assert (one.outcome, one.reasons, one.generation) == (DIFFERENT, ["engine"], 1)
    assert len(rig.verdicts("a")) == 1
    assert one.audio is not None
    assert one.previous is not None
    new = one.audio.uri.removeprefix("memory:///")
    assert rig.files("a") == sorted([old, new])
    assert one.previous.uri.endswith(old)


def test_promote_makes_it_the_current_one() -> None:
    rig = spoken("a")
    one = the_only(rig.replay(rig.run(Mode.PROMOTE), ANOTHER))
    first, second = rig.verdicts("a")
    assert (one.outcome, one.reasons, one.generation) == (PROMOTED, ["engine"], 2)
    assert (second.owner, second.fingerprint, second.run) == (first.owner, first.fingerprint, "run/1")
    assert isinstance(first.state, Completed)
    assert isinstance(second.state, Completed)
    assert (one.audio, one.previous) == (second.state.audio, first.state.audio)
    assert rig.files("a") == sorted([file_of(first), file_of(second)])
    assert rig.completed()[0].audio == first.state.audio  # tts.completed keeps its one result


def test_what_is_current_is_made_again_by_the_next_run() -> None:
    """And a run that is begun anew under its name is another one."""
    rig = spoken("a")
    rig.replay(rig.run(Mode.PROMOTE), ANOTHER)
    again = the_only(rig.replay(rig.run(Mode.PROMOTE, number=2), ANOTHER))
    assert (again.outcome, again.generation, again.run) == (IDENTICAL, 2, "run/2")
    back = the_only(rig.replay(rig.run(Mode.PROMOTE, "back"), AS_EVER))
    assert (back.outcome, back.generation, back.reasons) == (PROMOTED, 3, ["engine"])
    assert [verdict.run for verdict in rig.verdicts("a")] == ["", "run/1", "back/1"]
    first = rig.verdicts("a")[0].state
    assert isinstance(first, Completed)
    assert back.audio == first.audio
    assert the_only(rig.replay(rig.run(Mode.VERIFY, "check"), AS_EVER)).outcome == IDENTICAL


def test_a_promoted_id_is_answered_by_the_service_as_ever() -> None:
    """Its own verdict stands; a repeat of the request is a duplicate."""
    rig = spoken("a")
    rig.replay(rig.run(Mode.PROMOTE), ANOTHER)
    rig.publish("a", "the text of a")
    rig.speak()
    assert len(rig.completed()) == 1


# The table


@pytest.mark.parametrize("mode", MODES)
def test_whoever_does_not_own_the_verdict_is_skipped(mode: Mode) -> None:
    rig = spoken("a")
    rig.publish("a", "the text of a")
    rig.publish("a", "another text")
    rig.speak()
    rig.publish("late")
    replayed = rig.replay(rig.run(mode))
    assert told(replayed) == [
        (IDENTICAL, []),
        (SKIPPED, ["duplicate"]),
        (SKIPPED, ["conflict"]),
        (SKIPPED, ["undecided"]),
    ]
    assert replayed[1].message == "the record at partition 0, offset 0 has the same id and request"
    assert replayed[3].audio is replayed[3].previous is None
    assert len(rig.verdicts("a")) == 1
    assert rig.verdicts("late") == []


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_decoded_is_skipped(mode: Mode) -> None:
    rig = ReplayRig()
    rig.cluster.append(Message(topic=TOPIC, key=b"its own", value=b"junk", partition=0))
    rig.speak()
    one = the_only(rig.replay(rig.run(mode)))
    assert (one.outcome, one.reasons, one.id) == (SKIPPED, ["undecodable"], rig.failed()[0].id)
    assert one.message
    record = rig.cluster.logs("tts.replayed")[0].read(0, 10)[0][0]
    assert record.key == b"its own"


@pytest.mark.parametrize("mode", MODES)
def test_what_failed_is_left_to_a_redrive(mode: Mode) -> None:
    rig = spoken("a", deployed=Deployed(engine=refusing))
    assert rig.failed()[0].code == "synthesis_failed"
    one = the_only(rig.replay(rig.run(mode)))
    assert told([one]) == [(SKIPPED, ["failed"])]
    assert one.message.startswith("it ended as synthesis_failed: injected")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("promoted", [False, True])
def test_what_was_deleted_stays_deleted(mode: Mode, promoted: bool) -> None:
    rig = spoken("a")
    if promoted:
        rig.replay(rig.run(Mode.PROMOTE, "before"), ANOTHER)
    bury(rig.store, Identity("shop", "a"), 1)
    run = rig.run(mode)
    assert told(rig.replay(run)) == [(SKIPPED, ["deleted"])]
    assert rig.files("a") == []
    assert all(verdict.deleted for verdict in rig.verdicts("a"))


@pytest.mark.parametrize("mode", MODES)
def test_a_redrive_owns_its_generation(mode: Mode) -> None:
    rig = spoken("a", deployed=Deployed(engine=refusing))
    rig.publish("a", "the text of a", headers=((FOLLOWS, b"1"),))
    rig.publish("a", "the text of a", headers=((FOLLOWS, b"1"),))  # the same once more
    rig.publish("a", "the text of a", headers=((FOLLOWS, b"2"),))  # what did not fail
    rig.publish("a", "the text of a", headers=((FOLLOWS, b"x"),))
    rig.speak()
    replayed = rig.replay(rig.run(mode), ANOTHER)
    redriven = PROMOTED if mode is Mode.PROMOTE else DIFFERENT
    assert told(replayed) == [
        (SKIPPED, ["failed"]),
        (redriven, ["engine"]),
        (SKIPPED, ["duplicate"]),
        (SKIPPED, ["conflict"]),
        (SKIPPED, ["conflict"]),
    ]
    assert replayed[1].generation == (3 if mode is Mode.PROMOTE else 2)
    owners = [verdict.owner.offset for verdict in rig.verdicts("a")]
    assert owners == ([0, 1, 1] if mode is Mode.PROMOTE else [0, 1])


def test_expiry_is_no_matter(tmp_path: Path) -> None:
    events = rules(tmp_path)
    rig = ReplayRig()
    soon = int(rig.clock.now() * 1000) + 1_000
    rig.publish("a", expires_at=soon)
    rig.publish("b", None, event={"type": "paid", "data": '{"n": 1}'})
    rig.speak(Deployed(events=events))
    rig.clock.advance(1_000_000)
    assert outcomes(rig.replay(rig.run(), Deployed(events=events))) == [IDENTICAL] * 2


def test_what_is_replayed_is_keyed_and_headed_as_a_result() -> None:
    rig = ReplayRig()
    rig.publish("a", headers=((TRACEPARENT, b"trace"),), metadata={"order": "1"}, output_name="a.wav", callback="c")
    rig.speak()
    one = the_only(rig.replay(rig.run()))
    record = rig.cluster.logs("tts.replayed")[0].read(0, 10)[0][0]
    assert (record.key, record.headers) == (b"shop/a", ((TASK_ID, b"a"), (TRACEPARENT, b"trace")))
    assert (one.metadata, one.output_name, one.callback) == ({"order": "1"}, "a.wav", "c")
    assert (one.position.topic, one.position.partition, one.position.offset) == (TOPIC, 0, 0)


# Files that are gone


def test_verify_tells_a_file_that_is_gone_or_cut() -> None:
    rig = spoken("gone", "cut", "other")
    gone, cut = rig.lose("gone"), file_of(rig.verdicts("cut")[0])
    rig.store.replace(cut, b"RIFF")
    rig.lose("other")
    run = rig.run()
    process = rig.replaying(run)
    process.until(lambda: rig.finished(run))
    assert told(rig.replayed()) == [(DIFFERENT, ["missing"])] * 3
    assert rig.replayed()[0].message == f"memory:///{gone} is gone"
    assert "has 4 bytes instead of" in rig.replayed()[1].message
    again = rig.replay(rig.run(name="other"), ANOTHER)
    assert again[2].reasons == ["engine", "missing"]
    assert rig.files("gone") == []


@pytest.mark.parametrize("mode", [Mode.REGENERATE, Mode.PROMOTE])
def test_a_lost_file_is_restored_by_the_same_bytes(mode: Mode) -> None:
    rig = spoken("gone", "cut")
    gone, cut = rig.lose("gone"), file_of(rig.verdicts("cut")[0])
    whole = rig.objects()[cut]
    rig.store.replace(cut, b"RIFF")
    run, log = rig.run(mode), Heard()
    rig.replaying(run, log=log).until(lambda: rig.finished(run))
    assert told(rig.replayed()) == [(IDENTICAL, [])] * 2
    assert rig.files("gone") == [gone]
    assert rig.objects()[cut] == whole
    assert log.warnings[0] == (f"memory:///{gone} is gone", {"task_id": "gone"})


def test_a_lost_file_is_replaced_by_promoting_other_bytes() -> None:
    rig = spoken("a")
    lost = rig.lose("a")
    assert outcomes(rig.replay(rig.run(Mode.PROMOTE), ANOTHER)) == [PROMOTED]
    assert rig.files("a") == [file_of(rig.verdicts("a")[1])]
    assert lost not in rig.files("a")
