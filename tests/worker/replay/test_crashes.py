"""Runs whose workers die, and what comes between two of their steps: nothing is said twice, nothing is left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamer.identity import Identity
from streamer.kafka.memory import Faults
from streamer.store.deletion import bury
from streamer.store.verdicts import Completed
from streamer.worker.replay.run import Mode
from tests.worker.builders import ScriptedEngine, TroubledStore
from tests.worker.replay.rig import (
    ANOTHER,
    DIFFERENT,
    IDENTICAL,
    PROMOTED,
    SKIPPED,
    Deployed,
    ReplayRig,
    file_of,
    outcomes,
    told,
    tone,
)

THIRD = Deployed(engine=lambda: tone(0.007))
IDS = ("a", "b")


class Killed(BaseException):
    """The process is gone in the middle of a call."""


class Countdown:
    """At the nth step, once, something happens."""

    def __init__(self, steps: int, happen: Callable[[], None]) -> None:
        self._left, self._happen = steps, happen

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._happen()

    @property
    def over(self) -> bool:
        return self._left <= 0


class SteppingStore(TroubledStore):
    """Every call is a step; so is what lies between a write and its answer."""

    steps: Countdown | None = None

    def _note(self, operation: str, key: str) -> None:
        super()._note(operation, key)
        if self.steps is not None:
            self.steps.step()

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        done = super().put(key, data, download_name)
        self._note("written", key)
        return done

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        super().replace(key, data, download_name)
        self._note("written", key)


class SteppingFaults(Faults):
    """The same for the broker's calls, those that happen all the time left out."""

    steps: Countdown | None = None

    def before(self, operation: str) -> None:
        if self.steps is not None and operation != "poll":
            self.steps.step()

    def after(self, operation: str) -> None:
        self.before(operation)


class SteppingRig(ReplayRig):
    """Two records, spoken; `steps` counts what a run does from here on."""

    def __init__(self) -> None:
        self.faults, self.stepping = SteppingFaults(), SteppingStore()
        super().__init__(faults=self.faults)
        for id in IDS:
            self.publish(id, f"the text of {id}")
        self.speak()

    def initialise(self) -> list[str]:
        self.store = self.stepping
        return super().initialise()

    @property
    def steps(self) -> Countdown | None:
        return self.stepping.steps

    @steps.setter
    def steps(self, countdown: Countdown | None) -> None:
        self.stepping.steps = self.faults.steps = countdown


def killed() -> None:
    raise Killed


def every_step(act: Callable[[int], bool]) -> int:
    """`act` with 1, 2, 3, … until it says that so many steps were never made; how many were."""
    step = 1
    while act(step):
        step += 1
    return step - 1


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("deployed", [Deployed(), ANOTHER], ids=["as ever", "another engine"])
def test_a_run_that_is_killed_at_any_step_goes_on(mode: Mode, deployed: Deployed) -> None:
    """The next worker has the name of the one that died: it fences what that one left open."""

    def act(step: int) -> bool:
        rig = SteppingRig()
        run = rig.run(mode)
        rig.steps = countdown = Countdown(step, killed)
        try:
            rig.replaying(run, deployed).until(lambda: rig.finished(run))
        except Killed:
            rig.steps = None
            rig.clock.advance(7)  # its session
            rig.replaying(run, deployed).until(lambda: rig.finished(run), turns=1000)
        rig.steps = None
        expected = IDENTICAL if deployed is not ANOTHER else PROMOTED if mode is Mode.PROMOTE else DIFFERENT
        assert [(one.id, one.outcome) for one in rig.replayed()] == [(id, expected) for id in IDS], step
        for id, one in zip(IDS, rig.replayed(), strict=True):
            runs = [verdict.run for verdict in rig.verdicts(id)]
            assert runs == ["", run.label][: 1 + (expected == PROMOTED)], step
            assert one.generation == len(runs)
            assert file_of(rig.verdicts(id)[-1]) in rig.files(id)
            if expected == PROMOTED:
                state = rig.verdicts(id)[-1].state
                assert isinstance(state, Completed)
                assert one.audio == state.audio
                assert one.reasons == ["engine"]
        return countdown.over

    assert every_step(act) > 20


@pytest.mark.parametrize("mode", [Mode.REGENERATE, Mode.PROMOTE])
@pytest.mark.parametrize("lost", [False, True])
def test_a_deletion_at_any_step_leaves_no_audio(mode: Mode, lost: bool) -> None:
    """Nor a verdict that names one, whatever the run says; and a run that died right then leaves none either."""

    def act(step: int, dies: bool) -> bool:
        rig = SteppingRig()
        if lost:
            rig.lose("a")
        run = rig.run(mode)

        def delete() -> None:
            rig.steps = None
            bury(rig.store, Identity("shop", "a"), 1)
            if dies:
                raise Killed

        rig.steps = countdown = Countdown(step, delete)
        try:
            rig.replaying(run, ANOTHER).until(lambda: rig.finished(run))
        except Killed:
            rig.clock.advance(7)
            rig.replaying(run, ANOTHER).until(lambda: rig.finished(run), turns=1000)
        rig.steps = None
        if not countdown.over:
            return False
        assert rig.files("a") == [], step
        assert all(verdict.deleted for verdict in rig.verdicts("a")), step
        made = PROMOTED if mode is Mode.PROMOTE else DIFFERENT
        assert outcomes(rig.replayed()) in ([made] * 2, [SKIPPED, made]), step
        return True

    assert every_step(lambda step: act(step, dies=False)) > 20
    assert every_step(lambda step: act(step, dies=True)) > 20


@pytest.mark.parametrize("mode", Mode)
def test_a_deletion_at_any_step_is_no_lost_file(mode: Mode) -> None:
    def act(step: int) -> bool:
        rig = SteppingRig()
        run = rig.run(mode)

        def delete() -> None:
            rig.steps = None
            bury(rig.store, Identity("shop", "a"), 1)

        rig.steps = countdown = Countdown(step, delete)
        rig.replaying(run).until(lambda: rig.finished(run))
        rig.steps = None
        assert told(rig.replayed()) in ([(IDENTICAL, [])] * 2, [(SKIPPED, ["deleted"]), (IDENTICAL, [])]), step
        return countdown.over

    assert every_step(act) > 20


def test_a_deletion_before_its_verdict_is_seen_says_deleted() -> None:
    rig = SteppingRig()
    run = rig.run(Mode.PROMOTE)
    folder = Identity("shop", "a").folder

    class Deleting(Countdown):
        def step(self) -> None:
            operation, key = rig.store.calls[-1]
            if operation == "written" and key == f"{folder}/verdict-2.json":
                rig.steps = None
                bury(rig.store, Identity("shop", "a"), 1)

    rig.steps = Deleting(0, killed)
    rig.replaying(run, ANOTHER).until(lambda: rig.finished(run))
    assert told(rig.replayed())[0] == (SKIPPED, ["deleted"])
    assert [verdict.deleted for verdict in rig.verdicts("a")] == [True, True]


def test_another_run_at_any_step_is_judged_anew() -> None:
    """Both promote: every generation has one run, and each says what stands under its own name."""

    def act(step: int) -> bool:
        rig = SteppingRig()
        mine, other = rig.run(Mode.PROMOTE, "mine"), rig.run(Mode.PROMOTE, "other")

        def run_the_other() -> None:
            rig.steps = None
            rig.replay(other, THIRD)

        rig.steps = countdown = Countdown(step, run_the_other)
        rig.replaying(mine, ANOTHER).until(lambda: rig.finished(mine))
        rig.steps = None
        if not countdown.over:
            return False
        for id, one, two in zip(IDS, rig.replayed(mine), rig.replayed(other), strict=True):
            verdicts = rig.verdicts(id)
            assert sorted(verdict.run for verdict in verdicts) == ["", "mine/1", "other/1"], step
            assert (one.id, one.outcome, two.id, two.outcome) == (id, PROMOTED, id, PROMOTED), step
            for said in (one, two):
                verdict = verdicts[said.generation - 1]
                assert isinstance(verdict.state, Completed)
                assert (said.run, said.audio) == (verdict.run, verdict.state.audio), step
        return True

    assert every_step(act) > 20


def test_a_file_that_goes_before_its_verdict_stands_is_written_again() -> None:
    """As `streamer gc` might take it whose bound was too short."""
    rig = SteppingRig()
    run = rig.run(Mode.PROMOTE)
    folder = Identity("shop", "a").folder

    class Collecting(Countdown):
        def step(self) -> None:
            operation, key = rig.store.calls[-1]
            if operation == "put" and key == f"{folder}/verdict-2.json":
                rig.steps = None
                for file in rig.files("a"):
                    rig.store.delete(file)

    rig.steps = Collecting(0, killed)
    rig.replaying(run, ANOTHER).until(lambda: rig.finished(run))
    assert outcomes(rig.replayed()) == [PROMOTED] * 2
    assert rig.files("a") == [file_of(rig.verdicts("a")[1])]


def test_workers_of_one_run_share_its_partitions() -> None:
    rig = ReplayRig(partitions=4)
    for number in range(40):
        rig.publish(str(number), f"text {number}", partition=number % 4)
    rig.speak()
    run = rig.run(Mode.PROMOTE)
    workers = [rig.replaying(run, ANOTHER, name) for name in ("one", "two", "three")]
    for _ in range(40):
        for worker in workers:
            worker.turn()
        rig.clock.advance(0.01)
    workers.pop()  # killed
    for _ in range(1500):
        for worker in workers:
            worker.turn()
        rig.clock.advance(0.01)
    assert rig.finished(run)
    assert outcomes(rig.replayed()) == [PROMOTED] * 40
    assert len({(one.position.partition, one.position.offset) for one in rig.replayed()}) == 40


def test_a_run_that_is_read_again_says_the_same_of_what_it_promoted() -> None:
    """Killed between the verdict and its transaction; nothing is spoken again."""
    rig = ReplayRig(commit_interval=5)
    rig.publish("a", "the text of a")
    rig.speak()
    run = rig.run(Mode.PROMOTE)
    first = rig.replaying(run, ANOTHER)
    first.until(lambda: len(rig.verdicts("a")) == 2)
    assert rig.replayed() == []
    rig.clock.advance(7)
    engine = ScriptedEngine()
    second = rig.replaying(run, Deployed(engine=lambda: engine))
    second.until(lambda: rig.finished(run), turns=1500)
    (one,) = rig.replayed()
    assert (one.outcome, one.generation) == (PROMOTED, 2)
    assert one.replayed_at == rig.verdicts("a")[1].decided_at
    assert engine.submitted == []
    assert len(rig.verdicts("a")) == 2
