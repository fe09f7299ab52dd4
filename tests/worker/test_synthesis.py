from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from streamer.clock import ManualClock, SystemClock
from streamer.engines.base import Failure, Speech
from streamer.errors import EngineError, EngineGone
from streamer.worker.synthesis import Broken, EngineHost, EngineThread, Heard, NotSpoken, Spoken
from tests.worker.builders import ScriptedEngine, task, tenure

_PATIENCE = 10.0


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def host(engine: ScriptedEngine) -> EngineHost:
    return EngineHost(engine, ManualClock())


def test_what_is_submitted_is_spoken(host: EngineHost) -> None:
    tasks = [task("a"), task("b")]
    host.submit(tasks)
    assert host.collect() == []
    assert host.turn()
    heard = host.collect()
    assert [one.task for one in heard if isinstance(one, Spoken)] == tasks
    assert all(isinstance(one, Spoken) and one.at == ManualClock().now() for one in heard)
    assert host.collect() == []
    assert not host.turn()


def test_it_is_empty_only_when_what_was_cancelled_is_gone(host: EngineHost, engine: ScriptedEngine) -> None:
    engine.held.add("slow")
    slow = task("a", "slow")
    states = [host.empty]
    host.submit([slow])
    states.append(host.empty)
    host.turn()
    states.append(host.empty)
    host.cancel([slow])
    states.append(host.empty)
    host.turn()
    states.append(host.empty)
    assert states == [True, False, False, False, True]


def test_a_step_is_overdue_after_a_tenth_of_its_limit(engine: ScriptedEngine) -> None:
    clock = ManualClock()
    host, seen = EngineHost(engine, clock), []
    step = engine.step

    def slow() -> list[Speech | Failure]:
        for _ in range(2):
            seen.append((host.empty, host.overdue))
            clock.advance(0.11 * engine.profile.step_limit)
        seen.append((host.empty, host.overdue))
        return step()

    engine.step = slow  # type: ignore[method-assign]
    host.submit([task()])
    host.turn()
    assert seen == [(False, False), (False, True), (False, True)]
    assert (host.empty, host.overdue) == (True, False)


def test_one_that_fails_leaves_its_neighbours(host: EngineHost, engine: ScriptedEngine) -> None:
    engine.fails.add("bad")
    bad, good = task("a", "bad"), task("b", "good")
    host.submit([bad, good])
    host.turn()
    first, second = host.collect()
    assert isinstance(first, NotSpoken)
    assert (first.task, first.failure.message) == (bad, "injected")
    assert isinstance(second, Spoken)
    assert second.task is good


def test_an_exception_fails_all_that_was_submitted(host: EngineHost, engine: ScriptedEngine) -> None:
    engine.raises = RuntimeError("no kernel image")
    tasks = [task("a"), task("b")]
    host.submit(tasks)
    assert host.turn()
    (broken,) = host.collect()
    assert broken == Broken(tasks, "RuntimeError: no kernel image")
    assert engine.cancelled == [0, 1]
    assert host.step_began is None
    engine.raises = None
    assert not host.turn()
    host.submit(tasks)
    host.turn()
    assert [type(one) for one in host.collect()] == [Spoken, Spoken]


def test_an_engine_that_is_gone_ends_its_thread_and_fails_nobody(engine: ScriptedEngine) -> None:
    engine.raises = EngineGone("nothing will be spoken any more")
    thread = EngineThread(lambda: engine, SystemClock())
    host = thread.start()
    host.submit([task("a")])
    thread._thread.join(_PATIENCE)
    with pytest.raises(EngineError, match=r"thread ended.*nothing will be spoken"):
        host.collect()


def test_one_that_is_refused_at_once_breaks_alone(host: EngineHost, engine: ScriptedEngine) -> None:
    engine.refuses.add("bad")
    bad, good = task("a", "bad"), task("b", "good")
    host.submit([bad, good])
    host.turn()
    heard = host.collect()
    assert heard[0] == Broken([bad], "RuntimeError: refused")
    assert isinstance(heard[1], Spoken)


def test_a_dead_tenure_is_not_submitted(host: EngineHost, engine: ScriptedEngine) -> None:
    dead = tenure()
    host.submit([task("a", of=dead)])
    dead.alive = False
    host.turn()
    assert not host.turn()
    assert engine.submitted == []


def test_cancelling_goes_by_ticket(host: EngineHost, engine: ScriptedEngine) -> None:
    """The same record of a later tenure is another task, and goes on."""
    engine.held.add("hello")
    before, after = task("a"), task("a")
    host.submit([before])
    host.turn()
    host.cancel([before, task("never submitted")])
    host.submit([after])
    host.turn()
    assert engine.cancelled == [0]
    engine.held.clear()
    host.turn()
    assert [one.task for one in host.collect() if isinstance(one, Spoken)] == [after]


def test_the_watchdog_sees_a_step_under_way(host: EngineHost, engine: ScriptedEngine) -> None:
    began: list[float | None] = []
    step = engine.step
    engine.step = lambda: began.append(host.step_began) or step()  # type: ignore[method-assign, func-returns-value]
    host.submit([task()])
    assert host.step_began is None
    host.turn()
    assert began == [ManualClock().monotonic()]
    assert host.step_began is None


@pytest.fixture
def thread(engine: ScriptedEngine) -> Iterator[EngineThread]:
    made = EngineThread(lambda: engine, SystemClock())
    yield made
    made.close(_PATIENCE)


def heard(host: EngineHost) -> list[Heard]:
    ticks = threading.Event()
    for _ in range(int(_PATIENCE / 0.01)):
        if found := host.collect():
            return found
        ticks.wait(0.01)
    return []


def test_the_thread_speaks_and_closes_what_it_opened(thread: EngineThread, engine: ScriptedEngine) -> None:
    host = thread.start()
    for _ in range(3):
        host.submit([task()])
        assert isinstance(heard(host)[0], Spoken)
    thread.close(_PATIENCE)
    assert engine.closed


def test_the_engine_is_opened_turned_and_closed_on_one_thread(engine: ScriptedEngine) -> None:
    seen = []

    class Noting(ScriptedEngine):
        def __init__(self) -> None:
            super().__init__()
            seen.append(threading.get_ident())

        def close(self) -> None:
            seen.append(threading.get_ident())

    thread = EngineThread(Noting, SystemClock())
    thread.start()
    thread.close(_PATIENCE)
    assert len(seen) == 2
    assert seen[0] == seen[1] != threading.get_ident()


def test_an_engine_that_cannot_be_opened_is_told_by_start() -> None:
    def missing() -> ScriptedEngine:
        raise EngineError("no weights at /models")

    with pytest.raises(EngineError, match="no weights at /models"):
        EngineThread(missing, SystemClock()).start()


def test_the_death_of_the_thread_shows_in_collect(thread: EngineThread, engine: ScriptedEngine) -> None:
    def cancel(ticket: object) -> None:
        raise OSError("the child is gone")

    engine.raises, engine.cancel = RuntimeError("broken pipe"), cancel  # type: ignore[method-assign]
    host = thread.start()
    host.submit([task()])
    with pytest.raises(EngineError, match="the child is gone"):
        heard(host)
    assert engine.closed
