from __future__ import annotations

from streamer.worker.in_flight import InFlight
from tests.worker.builders import task, tenure


def test_one_task_an_id_and_the_next_when_it_leaves() -> None:
    ids = InFlight()
    first, second, third, other = task("same"), task("same", offset=1), task("same", offset=2), task("other", offset=3)
    assert [ids.enter(one) for one in (first, second, third, other)] == [True, False, False, True]
    assert len(ids) == 2
    assert ids.leave(second) is None  # it holds nothing
    assert ids.leave(first) is second
    assert ids.leave(second) is third
    assert ids.leave(third) is None
    assert len(ids) == 1


def test_those_of_dead_tenures_are_passed_over() -> None:
    ids, dead = InFlight(), tenure()
    first, gone, last = task("same"), task("same", offset=1, of=dead), task("same", offset=2)
    for one in (first, gone, last):
        ids.enter(one)
    dead.alive = False
    assert ids.leave(first) is last
    assert ids.leave(last) is None
    assert len(ids) == 0
