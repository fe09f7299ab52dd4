from __future__ import annotations

from typing import Any

import pytest

from streamer.errors import ConfigurationError
from streamer.kafka.base import Message, Partition
from streamer.worker.metadata import MetadataCodec
from streamer.worker.replay.joining import Asked, Joining
from streamer.worker.replay.progress import Progress
from streamer.worker.replay.run import Mode, Range, Run, Runs
from streamer.worker.replay.selection import Selection
from streamer.worker.replay.summary import Summary
from tests.worker.replay.test_resolver import BEGAN, TOPIC, Place

REPLAYED = "tts.replayed"
ALL = Selection(everything=True)


class Office:
    """Processes that are started under one configuration."""

    def __init__(self) -> None:
        self.place = Place()
        cluster = self.place.cluster
        cluster.create_topic(REPLAYED, 2)
        cluster.append(Message(REPLAYED, None, b"earlier", partition=1))
        self.admin = cluster.broker().admin()
        self.codec = MetadataCodec("store", self.place.topic.id)
        self.runs = Runs(self.place.store, self.place.topic.id, "streamer")
        self.joining = Joining(
            self.runs,
            self.place.resolver,
            self.admin,
            [Partition(REPLAYED, 0), Partition(REPLAYED, 1)],
            lambda run: Progress(self.admin, self.codec, run, "streamer", TOPIC),
            group="streamer",
            now=self.place.clock.now,
        )

    def start(
        self,
        selection: Selection | None = None,
        mode: Mode | None = None,
        *,
        restart: bool = False,
        name: str = "monday",
    ) -> Run:
        asked = Asked(name, selection, mode, restart)
        return self.joining.begin(asked, self.joining.find(asked))

    def refused(self, *arguments: Any, **options: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            self.start(*arguments, **options)
        return str(caught.value)

    def finish(self, run: Run) -> None:
        for number, range in run.ranges.items():
            commit = self.codec.encode(range.end, (), range.end)
            self.admin.set_commits(run.group("streamer"), {Partition(TOPIC, number): commit}, 1)

    def publish(self) -> None:
        self.place.cluster.append(Message(TOPIC, None, b"", partition=0))


def test_the_first_fixes_the_run() -> None:
    office = Office()
    run = office.start(ALL, Mode.VERIFY)
    assert run == Run(
        name="monday",
        number=1,
        mode=Mode.VERIFY,
        asked="--all",
        ranges={0: Range(0, 10), 1: Range(0, 10)},
        replayed_from={0: 0, 1: 1},
        created_at=(BEGAN + 10) * 1000,
    )
    office.publish()
    office.place.clock.advance(60)
    assert office.start() == office.start(ALL, Mode.VERIFY) == office.start(None, Mode.VERIFY) == run


def test_without_an_option_audio_is_made_again_and_kept() -> None:
    assert Office().start(ALL).mode is Mode.REGENERATE


def test_finding_writes_nothing() -> None:
    office = Office()
    found = office.joining.find(Asked("monday", ALL, None))
    assert found.new
    assert office.runs.latest("monday") is None


def test_a_name_that_nobody_used_has_no_run_to_go_on_with() -> None:
    assert "there is no run 'monday' yet; choose its records by --all" in Office().refused()


@pytest.mark.parametrize(
    ("selection", "mode", "named"),
    [
        (Selection(begin=0, partitions=(0,)), Mode.PROMOTE, "--from, --partition, --all: run monday/1"),
        (Selection(everything=True, partitions=(0,)), Mode.PROMOTE, "--partition: "),
        (None, Mode.VERIFY, "--verify, --promote: "),
        (ALL, Mode.VERIFY, "--verify, --promote: "),
        (ALL, None, "--promote: "),  # who says what, and not --promote, means to keep what stands
    ],
)
def test_options_that_say_something_else_are_named(selection: Selection | None, mode: Mode | None, named: str) -> None:
    office = Office()
    office.start(ALL, Mode.PROMOTE)
    said = office.refused(selection, mode)
    assert said.startswith(named)
    assert "was begun with --all --promote" in said


def test_who_loses_the_race_for_a_name_joins_or_is_told() -> None:
    office = Office()
    asked, other = Asked("monday", ALL, Mode.VERIFY), Asked("monday", Selection(begin=3, partitions=(0,)), Mode.VERIFY)
    late, wrong = office.joining.find(asked), office.joining.find(other)
    office.publish()
    first = office.start(ALL, Mode.VERIFY)
    assert office.joining.begin(asked, late) == first
    with pytest.raises(ConfigurationError, match="--from, --partition, --all: run monday/1"):
        office.joining.begin(other, wrong)


def test_a_finished_run_is_begun_anew_with_a_range_of_then() -> None:
    office = Office()
    office.finish(office.start(ALL, Mode.VERIFY))
    office.publish()
    again = office.start(restart=True)
    assert (again.label, again.mode, again.asked) == ("monday/2", Mode.VERIFY, "--all")
    assert again.ranges[0] == Range(0, 11)
    office.finish(again)
    other = office.start(Selection(begin=3, partitions=(1,)), restart=True)
    assert (other.label, other.mode, other.ranges) == ("monday/3", Mode.REGENERATE, {1: Range(3, 10)})
    office.finish(other)
    promoted = office.start(None, Mode.PROMOTE, restart=True)
    assert (promoted.mode, promoted.asked) == (Mode.PROMOTE, "--from 3 --partition 1")
    assert office.start() == promoted


def test_a_run_that_somebody_works_at_is_not_begun_anew() -> None:
    office = Office()
    run = office.start(ALL)
    group = office.place.cluster.group(run.group("streamer"))
    member = office.place.cluster.join(group, [TOPIC])
    said = office.refused(restart=True)
    assert said.startswith("--restart: run monday/1 is not finished")
    assert "`streamer replay monday`" in said
    office.place.cluster.leave(group, member)
    assert office.start(restart=True).label == "monday/2"  # it was abandoned


def test_a_run_that_is_finished_may_be_begun_anew_though_its_last_process_is_still_there() -> None:
    office = Office()
    run = office.start(ALL)
    office.finish(run)
    office.place.cluster.join(office.place.cluster.group(run.group("streamer")), [TOPIC])
    assert office.start(restart=True).label == "monday/2"


def test_a_run_is_finished_by_its_summary_when_its_commits_have_expired() -> None:
    office = Office()
    run = office.start(ALL)
    assert not office.joining.finished(run)
    office.finish(run)
    assert office.joining.finished(run)
    office.place.cluster.group(run.group("streamer")).commits.clear()
    assert not office.joining.finished(run)
    office.runs.conclude(run, Summary.of(run.label))
    assert office.joining.finished(run)


def test_restart_of_a_name_that_is_new_begins_it() -> None:
    assert Office().start(ALL, restart=True).label == "monday/1"
