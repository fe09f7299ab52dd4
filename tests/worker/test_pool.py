from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from streamer.clock import SystemClock
from streamer.store.verdicts import Verdict
from streamer.worker.pool import Done, Job, Outcome, Standing, ThreadPool
from streamer.worker.task import Task
from tests.worker.builders import task

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


def jobs(count: int, run: Callable[[Task], Outcome]) -> Sequence[Job]:
    return [Job(task(str(number), offset=number), run) for number in range(count)]


def test_every_job_ends_once(pool: ThreadPool) -> None:
    for _ in range(3):
        pool.submit(jobs(501, lambda _: FOUND))
    pool.submit([])
    done = collected(pool, 1503)
    assert len({id(one.job.task) for one in done}) == len(done) == 1503
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
        offset = one.job.task.record.offset
        assert str(one.outcome) == str(offset) if offset % 2 else one.outcome is FOUND
        assert not isinstance(one.outcome, Verdict)
