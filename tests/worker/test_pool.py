from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from streamer.clock import SystemClock
from streamer.observe.metrics import Metrics
from streamer.store.verdicts import Verdict
from streamer.worker.pool import Done, Job, Loading, Noting, Outcome, Standing, ThreadPool, Work
from streamer.worker.task import Task
from tests.worker.builders import task, tenure

_PATIENCE = 10.0
FOUND = Standing(None, None)


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    before = set(threading.enumerate())
    made = ThreadPool(4, SystemClock())
    threads = set(threading.enumerate()) - before
    yield made
    made.close()
    for thread in threads:
        thread.join(_PATIENCE)
        assert not thread.is_alive()


def collected(pool: ThreadPool, count: int) -> list[Done]:
    done: list[Done] = []
    ticks = threading.Event()
    for _ in range(int(_PATIENCE / 0.01)):
        done += pool.collect()
        if len(done) >= count:
            break
        ticks.wait(0.01)
    return done


def task_of(done: Done) -> Task:
    assert isinstance(done.job, Job)
    return done.job.task


def jobs(count: int, run: Callable[[Task], Outcome]) -> Sequence[Job]:
    return [Job(task(str(number), offset=number), "look_up", run) for number in range(count)]


def test_every_job_ends_once(pool: ThreadPool) -> None:
    for _ in range(3):
        pool.submit(jobs(501, lambda _: FOUND))
    pool.submit([])
    done = collected(pool, 1503)
    assert len({id(task_of(one)) for one in done}) == len(done) == 1503
    assert {one.outcome for one in done} == {FOUND}
    assert pool.collect() == []


def test_a_few_jobs_run_at_once(pool: ThreadPool) -> None:
    together = threading.Barrier(4, timeout=_PATIENCE)

    def meet(_: Task) -> Outcome:
        together.wait()
        return FOUND

    pool.submit(jobs(4, meet))
    assert [one.outcome for one in collected(pool, 4)] == [FOUND] * 4


def test_many_jobs_share_the_threads_evenly(pool: ThreadPool) -> None:
    by_thread: dict[int, int] = {}
    together = threading.Barrier(4, timeout=_PATIENCE)

    def note(task: Task) -> Outcome:
        if threading.get_ident() not in by_thread:
            by_thread[threading.get_ident()] = 0
            together.wait()
        by_thread[threading.get_ident()] += 1
        return FOUND

    pool.submit(jobs(40, note))
    assert len(collected(pool, 40)) == 40
    assert list(by_thread.values()) == [10] * 4


def test_what_a_job_raises_is_its_outcome(pool: ThreadPool) -> None:
    def odd(task: Task) -> Outcome:
        if task.record.offset % 2:
            raise ValueError(str(task.record.offset))
        return FOUND

    pool.submit(jobs(40, odd))
    for one in collected(pool, 40):
        offset = task_of(one).record.offset
        assert str(one.outcome) == str(offset) if offset % 2 else one.outcome is FOUND
        assert not isinstance(one.outcome, Verdict)


def test_a_schema_is_asked_for_and_each_operation_timed() -> None:
    asked: list[int] = []
    metrics = Metrics(CollectorRegistry())
    pool = ThreadPool(1, SystemClock(), metrics.store_seconds)
    try:
        work: list[Work] = [Loading(7, asked.append), *jobs(2, lambda _: FOUND)]
        pool.submit(work)
        assert [(one.job, one.outcome) for one in collected(pool, 3)] == [
            (work[0], None),
            (work[1], FOUND),
            (work[2], FOUND),
        ]
    finally:
        pool.close()
    assert asked == [7]
    counts = {
        operation: metrics.registry.get_sample_value("streamer_store_seconds_count", {"operation": operation})
        for operation in ("look_up", "load_schema", "keep_speech", "keep_failure")
    }
    assert counts == {"look_up": 2, "load_schema": 1, "keep_speech": 0, "keep_failure": 0}


def test_closing_waits_for_what_was_submitted_within_its_bound() -> None:
    begun, going = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        going.wait(_PATIENCE)

    pool = ThreadPool(1, SystemClock())
    done: list[str] = []
    try:
        pool.submit([Noting(tenure(), "clear_attempts", wait)])
        pool.submit([Noting(tenure(), "clear_attempts", lambda: done.append("cleared"))])
        assert begun.wait(_PATIENCE)
        pool.close(timeout=0.01)
        assert done == []
    finally:
        going.set()
    pool.close(timeout=_PATIENCE)
    assert done == ["cleared"]


def test_what_a_job_may_compute_counts_as_no_time_under_way(pool: ThreadPool) -> None:
    clock, going, done = SystemClock(), threading.Semaphore(0), threading.Event()

    def wait(_: Task) -> Outcome:
        going.release()
        done.wait(_PATIENCE)
        return FOUND

    assert pool.oldest() is None
    try:
        pool.submit([Job(task(), "keep_speech", wait, computing=100.0)])
        assert going.acquire(timeout=_PATIENCE)
        oldest = pool.oldest()
        assert oldest is not None
        assert 0 < oldest - clock.monotonic() <= 100
        pool.submit([Job(task(), "look_up", wait)])
        assert going.acquire(timeout=_PATIENCE)
        oldest = pool.oldest()
        assert oldest is not None
        assert oldest <= clock.monotonic()
    finally:
        done.set()
    assert len(collected(pool, 2)) == 2
