from __future__ import annotations

import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.cli.replay_options import Options, asked
from streamer.cli.replay_output import Bar, Lines, Pace, print_summary, tell_ranges
from streamer.clock import ManualClock
from streamer.errors import ConfigurationError
from streamer.identity import Identity
from streamer.kafka.base import Partition
from streamer.records import SpeechRequest
from streamer.worker.replay.progress import Standing
from streamer.worker.replay.run import Mode, Range
from streamer.worker.replay.selection import Selection
from streamer.worker.replay.summary import Summary
from tests.cli.processes import complaints, environment, run
from tests.cli.test_bridge import away
from tests.faults.cluster import Deployment, until
from tests.worker.replay.test_run import RUN

NOTHING = Options(None, None, None, (), False, None, None, False, False, False)


# The command line


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "choose the records by --all, by --from and --to, or by --id; or give the NAME of a run"),
        ({"verify": True}, "choose the records by --all"),
        ({"everything": True, "verify": True, "promote": True}, "--verify, --promote: one of them"),
        ({"everything": True, "begin": "3"}, "--all and --from/--to exclude each other"),
        ({"everything": True, "id": "x"}, "--all and --id exclude each other"),
        ({"end": "3", "id": "x"}, "--from/--to and --id exclude each other"),
        ({"name": "monday", "partitions": (1,)}, "--partition: needs --all, --from or --to"),
        ({"id": "x", "partitions": (1,)}, "--partition: needs --all, --from or --to; an id has its own"),
        ({"everything": True, "source": "shop"}, "--source: belongs to --id"),
        ({"begin": "yesterday"}, "--from 'yesterday': neither an offset nor a time such as 2026-11-22T09:30"),
        ({"end": "-1"}, "--to '-1': neither an offset nor a time"),
        ({"name": "a/b", "everything": True}, "NAME 'a/b': 1 to 100 of A-Z a-z 0-9 . _ -"),
        ({"name": "..", "everything": True}, "NAME '..'"),
        ({"name": "n" * 101, "everything": True}, "NAME 'nnn"),
    ],
)
def test_wrong_use_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(NOTHING._replace(**given))
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(NOTHING._replace(name="?", begin="x", verify=True, promote=True))
    assert [problem.split()[0] for problem in caught.value.problems] == ["--verify,", "NAME", "--from"]


def test_what_is_asked() -> None:
    assert asked(NOTHING._replace(name="monday")) == ("monday", None, None, False)
    wanted = asked(NOTHING._replace(begin="3", end="9", partitions=(2, 0, 2), promote=True, restart=True))
    assert wanted.selection == Selection(begin=3, end=9, partitions=(0, 2))
    assert (wanted.name, wanted.mode, wanted.restart) == (
        "promote-from-3-to-9-partition-0-partition-2",
        Mode.PROMOTE,
        True,
    )
    assert asked(NOTHING._replace(everything=True)).name == "regenerate-all"
    selection = asked(NOTHING._replace(id="x", source="shop")).selection
    assert selection == Selection(identity=Identity("shop", "x"))


# What it tells


def summary(**outcomes: int) -> Summary:
    made = Summary.of("monday/1")
    made.outcomes |= outcomes
    return made


def test_the_rate_and_the_time_left_are_of_this_process() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    assert pace.of(Standing(1_000, 5_000, finished=False), summary()) == "1,000 of 5,000 offsets, 20 %"
    clock.advance(10)
    assert (
        pace.of(Standing(1_500, 5_000, finished=False), summary(different=2, identical=1_498))
        == "1,500 of 5,000 offsets, 30 %, 50.0/s, 1:10 left, 2 different"
    )
    clock.advance(490)
    assert pace.of(Standing(1_500, 11_500, finished=False), summary()).endswith("1.0/s, 2:46:40 left")


def test_lines_come_at_each_tenth_and_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    lines = Lines(Pace(clock), clock)
    for done in (0, 5, 9, 10, 15, 20, 21):
        lines.show(Standing(done, 100, finished=False), summary())
        clock.advance(0.5)
    clock.advance(5)
    lines.show(Standing(21, 100, finished=False), summary())
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["0", "10", "20", "21"]


def test_the_bar_fits_its_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    bar = Bar(Pace(ManualClock()))
    bar.show(Standing(50, 100, finished=False), summary(different=12_345, skipped=5))
    bar.show(Standing(100, 100, finished=True), summary())
    first, last = capsys.readouterr().err.split("\r")[1:]
    assert first.startswith("[############............] 50 of 100 offsets")
    assert [len(first), len(last.rstrip("\n"))] == [59, 59]
    assert last.endswith("\n")


def test_what_is_gone_is_told_for_each_partition(capsys: pytest.CaptureFixture[str]) -> None:
    tell_ranges(RUN, "t")
    timed = msgspec.structs.replace(RUN, asked="--from 2026-11-22T00:00:00Z", ranges={1: Range(7, 9, gone=7)})
    tell_ranges(timed, "t")
    assert capsys.readouterr().err.splitlines() == [
        "t[0]: offsets [3, 10), 7 of them; 3 that were asked for are gone: retention has passed them",
        "t[2]: no offsets",
        "t[1]: offsets [7, 9), 2 of them; up to 7 that were asked for are gone: retention has passed them",
    ]


def test_records_without_a_result_are_no_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """Else "identical" would be taken for all there is."""
    partly = summary(identical=3, skipped=5)
    partly.reasons["skipped"] = {"undecided": 4, "failed": 1}
    print_summary(RUN, partly, "t", as_json=False)
    told = "4 had no result yet; replay them with --restart once the workers have come to them"
    assert told in capsys.readouterr().out.splitlines()


# The command


def test_a_kafka_that_is_away_is_named() -> None:
    with away() as servers:
        done = run("replay", "--all", variables={"KAFKA__BOOTSTRAP_SERVERS": servers})
    assert (done.returncode, done.stdout) == (1, b"")
    assert complaints(done.stderr)[0].startswith(f"{servers} does not answer (")


@pytest.fixture(scope="module")
def deployment(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three partitions with 4 spoken requests each; what is asked of it changes nothing but runs."""
    folder: Path = tmp_path_factory.mktemp("replay")
    with Deployment(kafka, folder, f"replay-{secrets.token_hex(4)}-") as deployment:
        deployment.topics()
        requests = [SpeechRequest(source="shop", id=f"id-{number}", text=f"number {number}") for number in range(12)]
        deployment.publish(deployment.message(request, int(request.id[3:]) % 3) for request in requests)
        worker = deployment.worker("a").ready()
        until(deployment.finished, "everything is committed")
        assert worker.terminate() == 0
        yield deployment


@pytest.mark.broker
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "NAME: there is no run 'nobody' yet"),
        (["--all", "--partition", "3"], "--partition 3: "),
        (["--from", "9", "--partition", "0"], "--from 9 lies beyond the end of "),
        (["--to", "9", "--partition", "0"], "--to 9 lies beyond the end of "),
        (["--from", "3", "--to", "1", "--partition", "0"], "--from: "),
        (["--from", "1"], "--from 1 is an offset, and each partition counts its own"),
        (["--from", "2100-01-01"], "--from 2"),
        (["--to", "2100-01-01"], "lies in the future; leave it out to go to the present end"),
        (["--id", "id-99", "--source", "shop"], "--id 'id-99' of --source 'shop': nothing was decided about it"),
        (["--id", "id-1"], "ids belong to their source: give --source"),
    ],
)
def test_wrong_use_begins_no_run(deployment: Deployment, arguments: list[str], says: str) -> None:
    runs = sorted(deployment.opened_store().list("replays/"))
    done = deployment.run("replay", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = complaints(done.stderr.encode())
    assert says in line
    assert sorted(deployment.opened_store().list("replays/")) == runs


@pytest.mark.broker
def test_a_dry_run_tells_and_changes_nothing(deployment: Deployment) -> None:
    topic = deployment.kafka.topics.requests
    replayed = len(deployment.records(deployment.kafka.topics.replayed))
    objects = {entry.key: entry.modified for entry in deployment.opened_store().entries("")}
    done = deployment.run("replay", "tuesday", "--from", "1", "--to", "3", "--partition", "2", "--promote", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 records would be made again\n"
    assert done.stderr.splitlines() == [
        "run tuesday/1 would be begun: --from 1 --to 3 --partition 2 --promote",
        f"{topic}[2]: offsets [1, 3), 2 of them",
    ]
    assert {entry.key: entry.modified for entry in deployment.opened_store().entries("")} == objects
    group = f"{deployment.kafka.group}.replay.tuesday.1"
    assert deployment.admin.commits(group, [Partition(topic, 2)], 10.0) == {Partition(topic, 2): None}
    assert len(deployment.records(deployment.kafka.topics.replayed)) == replayed


@pytest.mark.broker
def test_nothing_to_be_replayed_is_no_run(deployment: Deployment) -> None:
    runs = sorted(deployment.opened_store().list("replays/"))
    done = deployment.run("replay", "--from", "2020-01-01", "--to", "2020-01-02")
    assert (done.returncode, done.stdout) == (1, "")
    assert complaints(done.stderr.encode()) == ["there is nothing to be replayed; no run was begun"]
    assert sorted(deployment.opened_store().list("replays/")) == runs


@pytest.mark.broker
def test_a_bar_on_a_terminal(deployment: Deployment) -> None:
    ours, theirs = pty.openpty()
    program = [sys.executable, "-m", "streamer", "replay", "wednesday", "--id", "id-4", "--source", "shop"]
    variables = environment(deployment.variables) | {"COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=theirs, env=variables, text=True)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # the other end of a terminal was closed: what Linux says for its end
        pass
    finally:
        os.close(ours)
        printed, _ = process.communicate(timeout=60)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "\r[........................] 0 of 1 offsets, 0 %" in text
    assert "\r[########################] 1 of 1 offsets, 100 %" in text
    assert printed.startswith("run wednesday/1, --id id-4 --source shop: 1 records, 1 checked\n")
    other = deployment.run("replay", "wednesday", "--all")
    assert other.returncode == 2
    assert complaints(other.stderr.encode()) == [
        "--all, --id, --source: run wednesday/1 was begun with --id id-4 --source shop; give the name alone to go on "
        "with it, another name, or --restart"
    ]
