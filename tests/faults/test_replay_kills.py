"""Requests, bad records, redrive and replay, on a real Kafka and a real S3, all of it killed again and again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from streamer.identity import Identity
from streamer.kafka.base import Message, Partition
from streamer.records import Event, SpeechCompleted, SpeechFailed, SpeechReplayed, SpeechRequest
from streamer.store.verdicts import Completed, Verdicts
from streamer.wire import avro
from tests.faults.cluster import Deployment, until
from tests.faults.promise import check_audio
from tests.faults.storm import Storm
from tests.store.s3server import S3Server

pytestmark = pytest.mark.broker

Unique = Callable[[str], str]
Capture = pytest.CaptureFixture[str]

_GOOD, _MISTYPED, _GARBAGE, _DEADLY = 460, 24, 14, 2
_WRONG = '[events.paid]\ntemplate = "order {{ data.numbr }} is paid, thank you."\n'
_MENDED = '[events.paid]\ntemplate = "order {{ data.number }} is paid, thank you."\n'
_KILLS = 5


class Sent:
    """What was published: by id, and the garbage."""

    def __init__(self, chance: random.Random) -> None:
        self.good = {
            f"good-{number}": SpeechRequest(
                source="shop", id=f"good-{number}", text="".join(chance.choices("abcdefghij ", k=200)) + "."
            )
            for number in range(_GOOD)
        }
        self.mistyped = {
            f"paid-{number}": SpeechRequest(
                source="shop",
                id=f"paid-{number}",
                event=Event(type="paid", data=json.dumps({"number": number})),
            )
            for number in range(_MISTYPED)
        }
        self.deadly = {
            f"deadly-{number}": SpeechRequest(source="shop", id=f"deadly-{number}", text=f"Number {number} [[crash]]")
            for number in range(_DEADLY)
        }
        self.garbage = [b"garbage %d" % number for number in range(_GARBAGE)]

    def messages(self, deployment: Deployment, chance: random.Random) -> list[Message]:
        requests = self.good | self.mistyped | self.deadly
        messages = [deployment.message(request) for request in requests.values()]
        messages += [Message(topic=deployment.kafka.topics.requests, key=data, value=data) for data in self.garbage]
        chance.shuffle(messages)
        return messages


def deployed(kafka: str, folder: Path, name: str, s3: S3Server) -> Deployment:
    (folder / "events.toml").write_text(_WRONG)
    return Deployment(
        kafka,
        folder,
        f"{name}-",
        STORE__URL=f"s3://streamer/{name}",
        STORE__ENDPOINT=s3.endpoint,
        EVENTS__FILE=str(folder / "events.toml"),
        ENGINE__TONE__COST_PER_CHARACTER="0.00025",
        KAFKA__SESSION_TIMEOUT="3",
        WORKER__DEAD_LETTER_SHARE="1",
        WORKER__DRAIN_TIMEOUT="60",
        WORKER__CALL_LIMIT="10",
    )


def test_requests_redrives_and_replays_once_each_through_kills(
    kafka: str, unique: Unique, s3: S3Server, tmp_path: Path, capsys: Capture
) -> None:
    sent, began = Sent(random.Random(51)), time.monotonic()
    with deployed(kafka, tmp_path, unique("replay")[-40:].strip("-"), s3) as deployment:
        deployment.topics()
        deployment.publish(sent.messages(deployment, random.Random(52)))
        storm = Storm(deployment, deployment.worker)
        for number in range(_KILLS):
            storm.progress(50)
            storm.kill("ab"[number % 2], tree=number == 3)
        until(deployment.finished, "everything is committed", 240)
        for worker in storm.workers.values():
            worker.terminate()  # whose process may have died a moment ago
        failed = fails_once(deployment, sent)

        (tmp_path / "events.toml").write_text(_MENDED)
        worker = deployment.worker("c", ENGINE__NAME="espeak")  # which the deadly texts do no harm
        redrives = killed_redrives(deployment, random.Random(53))
        until(deployment.finished, "what was sent back is committed")
        assert worker.terminate() == 0
        completes_once_more(deployment, sent, failed)

        kills = killed_replays(deployment)
        promoted = replays_once(deployment, sent)
        verified = deployment.run("replay", "afterwards", "--all", "--verify", ENGINE__NAME="espeak")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        verdicts = Counter(result.outcome for result in outcomes(deployment, "afterwards/1"))
        assert (set(verdicts), verdicts["identical"]) == ({"identical", "skipped"}, promoted)
    with capsys.disabled():
        print(
            f"\n{storm.kills} SIGKILLs of workers, {redrives} of a redrive, {kills} of replays; "
            f"{len(sent.good)} completed, 40 failed once, {_MISTYPED + _DEADLY} mended, {promoted} promoted and "
            f"verified, {time.monotonic() - began:.0f} s"
        )


def fails_once(deployment: Deployment, sent: Sent) -> dict[str, SpeechFailed]:
    """Every id has one result, the bad ones their failure. The failures of requests by id."""
    results = [read.result for read in deployment.results()]
    codes = Counter(result.code for result in results if isinstance(result, SpeechFailed))
    assert codes == {"template_error": _MISTYPED, "undecodable": _GARBAGE, "synthesis_failed": _DEADLY}
    assert len(results) == 500 == len({(result.source, result.id) for result in results})
    assert {result.id for result in results if isinstance(result, SpeechCompleted)} == set(sent.good)
    failed = {result.id: result for result in results if isinstance(result, SpeechFailed) and result.source}
    assert set(failed) == set(sent.mistyped) | set(sent.deadly)
    return failed


def killed_redrives(deployment: Deployment, chance: random.Random) -> int:
    """The command killed at any moment, and then left alone."""
    kills = 0
    while kills < _KILLS:
        process, _ = deployment.process("redrive", [sys.executable, "-m", "streamer", "redrive", "--all", "--yes"])
        try:
            process.wait(chance.uniform(0.3, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    done = deployment.run("redrive", "--all", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return kills


def completes_once_more(deployment: Deployment, sent: Sent, failed: dict[str, SpeechFailed]) -> None:
    again = [read.result for read in deployment.results() if read.result.generation > 1]
    assert Counter(result.id for result in again) == Counter(failed.keys())
    assert all(isinstance(result, SpeechCompleted) and result.generation == 2 for result in again)
    words = {result.id: result.text for result in again if isinstance(result, SpeechCompleted)}
    assert words["paid-7"] == "order 7 is paid, thank you."
    first = Counter(
        (read.result.source, read.result.id) for read in deployment.results() if read.result.generation == 1
    )
    assert len(first) == 500 == sum(first.values())


def killed_replays(deployment: Deployment) -> int:
    """Two processes promote the whole topic with another engine; one after the other is killed and started again."""
    command = [sys.executable, "-m", "streamer", "replay", "storm", "--all", "--promote"]

    def start() -> subprocess.Popen[bytes]:
        return deployment.process("replay", command, ENGINE__NAME="espeak", ENGINE__ESPEAK__PROCESSES="1")[0]

    replayed = [Partition(deployment.kafka.topics.replayed, number) for number in range(deployment.kafka.partitions)]

    def done() -> int:
        """Offsets, markers among them."""
        return sum(deployment.admin.ends(replayed, 10).values())

    processes, kills = [start(), start()], 0
    for number in range(_KILLS):
        goal = done() + 40
        until(lambda goal=goal: done() >= goal, "the replay goes on")  # type: ignore[misc]
        victim = processes[number % 2]
        assert victim.poll() is None, "it ended before it was killed five times"
        victim.kill()
        victim.wait()
        kills += 1
        processes[number % 2] = start()
    until(lambda: all(process.poll() is not None for process in processes), "the replay ends", 240)
    assert [process.returncode for process in processes] == [0, 0]
    return kills


def replays_once(deployment: Deployment, sent: Sent) -> int:
    """Each record of the requests once, and what was promoted is the current audio. How many."""
    replayed = outcomes(deployment, "storm/1")
    promoted = [result for result in replayed if result.outcome == "promoted"]
    ids = set(sent.good)
    same = {result.id for result in replayed if result.outcome == "identical"}
    assert same == set(sent.mistyped) | set(sent.deadly)  # these espeak had spoken in the first place
    assert {result.id for result in promoted} == ids
    skipped = Counter(result.reasons[0] for result in replayed if result.outcome == "skipped")
    assert (skipped.pop("failed"), skipped.pop("undecodable")) == (_MISTYPED + _DEADLY, _GARBAGE)
    assert set(skipped) <= {"duplicate"}  # what a killed redrive had sent twice
    with closing(deployment.opened_store()) as store:
        for result in promoted:
            verdict = Verdicts(store).latest(Identity(result.source, result.id))
            assert verdict is not None
            assert isinstance(verdict.state, Completed)
            assert (verdict.run, verdict.generation, verdict.state.audio) == ("storm/1", 2, result.audio)
            assert (verdict.owner.partition, verdict.owner.offset) == (
                result.position.partition,
                result.position.offset,
            )
            assert result.previous is not None
            assert result.previous != result.audio
        for read in deployment.results():
            if isinstance(read.result, SpeechCompleted):
                check_audio(read.result, store)
    return len(promoted) + len(same)


def outcomes(deployment: Deployment, run: str) -> list[SpeechReplayed]:
    """What the run committed, each record of the requests once and none left out."""
    decode = avro.replayed().decode
    replayed = [decode(record.value) for record in deployment.records(deployment.kafka.topics.replayed)]
    replayed = [result for result in replayed if result.run == run]
    places = Counter((result.position.partition, result.position.offset) for result in replayed)
    requests = deployment.records(deployment.kafka.topics.requests)
    assert places == Counter((record.partition.number, record.offset) for record in requests)
    return replayed
