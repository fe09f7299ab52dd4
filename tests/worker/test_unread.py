from __future__ import annotations

import pytest

from streamer.clock import ManualClock
from streamer.errors import RegistryUnavailable
from streamer.worker.pool import Loading
from streamer.worker.unread import Unread
from tests.worker.builders import journal, record, tenure

AWAY = RegistryUnavailable("injected")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def unread(clock: ManualClock) -> Unread:
    return Unread(lambda schema_id: None, clock, journal())


def ids(jobs: list[Loading]) -> list[int]:
    return [job.schema_id for job in jobs]


def test_each_schema_is_asked_for_once_and_its_records_come_in_order(unread: Unread) -> None:
    one, two = tenure(), tenure()
    for offset, (schema_id, of) in enumerate([(7, one), (8, one), (7, two), (7, one)]):
        unread.hold(schema_id, of, record(b"xyz", offset))
    assert ids(unread.jobs()) == [7, 8]
    assert unread.jobs() == []
    assert (unread.count, unread.cost) == (4, 4 * 7)
    assert unread.holds(one)
    waiting = unread.loaded(7)
    assert {of: [record.offset for record in records] for of, records in waiting.items()} == {one: [0, 3], two: [2]}
    assert (unread.count, unread.cost) == (1, 7)
    assert unread.holds(one)
    assert not unread.holds(two)
    unread.hold(7, two, record(b"", 5))
    assert ids(unread.jobs()) == [7]  # asked for anew, should the answer not have lasted


def test_while_the_registry_is_away_it_is_asked_ever_more_rarely(unread: Unread, clock: ManualClock) -> None:
    unread.hold(7, tenure(), record(b"x"))
    for seconds in (0.1, 0.2, 0.4):
        (job,) = unread.jobs()
        unread.unavailable(job, AWAY)
        clock.advance(seconds - 0.01)
        assert unread.jobs() == []
        clock.advance(0.02)
    assert unread.count == 1
    assert ids(unread.jobs()) == [7]


def test_what_belongs_to_a_dead_tenure_is_gone_and_asked_for_no_longer(unread: Unread) -> None:
    dead, alive = tenure(), tenure()
    unread.hold(7, dead, record(b"x"))
    unread.hold(8, dead, record(b"x", 1))
    unread.hold(8, alive, record(b"x", 2))
    seven, eight = unread.jobs()
    unread.drop(dead)
    assert (unread.count, unread.holds(dead), unread.holds(alive)) == (1, False, True)
    unread.unavailable(seven, AWAY)
    assert unread.jobs() == []
    assert list(unread.loaded(eight.schema_id)) == [alive]
    assert (unread.count, unread.cost) == (0, 0)
    unread.hold(7, alive, record(b"x", 3))
    assert ids(unread.jobs()) == [7]
