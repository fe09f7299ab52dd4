from __future__ import annotations

import numpy as np
import pytest

from streamer.clock import ManualClock
from streamer.errors import StoreUnavailable
from streamer.records import FailureCode
from streamer.worker.pool import Noting
from streamer.worker.store_work import StoreWork
from tests.worker.builders import ScriptedEngine, TroubledStore, journal, service, task, tenure

DOWN = StoreUnavailable("injected")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def work(clock: ManualClock) -> StoreWork:
    return StoreWork(service(TroubledStore(), ScriptedEngine().profile, clock), clock, journal())


def test_each_is_handed_out_once_in_order(work: StoreWork) -> None:
    one = task()
    work.look_up(one)
    work.keep_speech(one, np.zeros(10, np.int16))
    work.keep_failure(one, FailureCode.EXPIRED, "too late")
    assert [job.operation for job in work.jobs()] == ["look_up", "keep_speech", "keep_failure"]
    assert work.jobs() == []


def test_notes_go_apart_and_wait_the_same_way(work: StoreWork, clock: ManualClock) -> None:
    noting = Noting(tenure(), "note_attempts", lambda: None)
    work.note(noting)
    assert work.jobs() == []
    assert work.notes() == [noting]
    assert work.notes() == []
    work.unavailable(noting, DOWN)
    clock.advance(1)
    assert work.jobs() == [noting]


def test_long_speech_may_be_encoded_for_longer_than_the_watchdog_waits_for_a_store(work: StoreWork) -> None:
    work.look_up(task())
    work.keep_speech(task(), np.zeros(24_000 * 3_600, np.int16))
    assert [job.computing for job in work.jobs()] == [0, 360]


def test_what_the_store_could_not_do_waits_until_it_is_back(work: StoreWork, clock: ManualClock) -> None:
    work.look_up(task())
    (job,) = work.jobs()
    work.unavailable(job, DOWN)
    assert work.backing_off
    assert work.jobs() == []
    clock.advance(1)
    assert work.jobs() == [job]
    assert work.backing_off
    work.answered()
    assert not work.backing_off


def test_for_dead_tenures_one_at_most_is_kept_to_find_out(work: StoreWork, clock: ManualClock) -> None:
    dead = tenure()
    for offset in range(3):
        work.look_up(task(f"id-{offset}", offset=offset, of=dead))
    jobs = work.jobs()
    dead.alive = False
    for job in jobs:
        work.unavailable(job, DOWN)
    clock.advance(1)
    assert work.jobs() == jobs[:1]
