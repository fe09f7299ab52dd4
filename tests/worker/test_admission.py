from __future__ import annotations

from streamer.worker.admission import Admission
from streamer.worker.task import Task
from tests.worker.builders import task


def tasks(*costs: int) -> list[Task]:
    made = [task(f"id-{number}", offset=number) for number in range(len(costs))]
    for one, cost in zip(made, costs, strict=True):
        one.cost = cost
    return made


def admission(waiting: list[Task], capacity: int = 100, attempts: int = 2) -> Admission:
    made = Admission(capacity, attempts)
    for one in waiting:
        made.add(one)
    return made


def test_the_capacity_is_filled_in_the_order_of_arrival() -> None:
    a, b, c, d = waiting = tasks(50, 50, 10, 10)
    engine = admission(waiting)
    assert engine.take() == [a, b]
    assert engine.take() == []
    engine.leave(a)
    assert engine.take() == [c, d]
    assert engine.running == 3


def test_nothing_overtakes_what_does_not_fit_yet() -> None:
    a, b, _ = waiting = tasks(60, 60, 10)
    engine = admission(waiting)
    assert engine.take() == [a]
    assert engine.take() == []
    engine.leave(a)
    assert engine.take()[0] is b


def test_what_is_larger_than_the_capacity_goes_alone() -> None:
    a, b, c = waiting = tasks(10, 1000, 10)
    engine = admission(waiting)
    assert engine.take() == [a]
    engine.leave(a)
    assert engine.take() == [b]
    assert engine.take() == []
    engine.leave(b)
    assert engine.take() == [c]


def test_who_failed_is_tried_alone_until_its_attempts_are_used_up() -> None:
    a, b, c = waiting = tasks(10, 10, 10)
    engine = admission(waiting[:2])
    engine.take()
    engine.add(c)
    assert engine.failed(a)
    assert engine.take() == []  # not beside b
    engine.leave(b)
    assert engine.take() == [a]
    assert engine.take() == []  # nor c beside it
    assert not engine.failed(a)
    assert a.attempts == 2
    assert engine.take() == [c]


def test_a_broken_batch_is_bisected_until_the_culprit_stands_alone() -> None:
    waiting = tasks(*[10] * 8)
    culprit = waiting[5]
    engine = admission(waiting)
    spoken: list[Task] = []
    ended: list[Task] = []
    batches = []
    while taken := engine.take():
        batches.append(len(taken))
        if culprit in taken:
            ended += engine.broken(taken, company=len(taken) > 1)
        else:
            spoken += taken
            for one in taken:
                engine.leave(one)
    assert ended == [culprit]
    assert sorted(one.record.offset for one in spoken) == [0, 1, 2, 3, 4, 6, 7]
    assert {one.attempts for one in spoken} == {0}
    assert batches == [8, 4, 4, 2, 2, 1, 1, 1]


def test_out_of_memory_lowers_the_limit_and_it_recovers() -> None:
    waiting = tasks(*[10] * 10)
    engine = admission(waiting)
    assert len(engine.take()) == 10
    assert engine.out_of_memory([waiting[9]]) == []
    assert waiting[9].attempts == 0
    for one in waiting[:9]:
        engine.leave(one)
    more = tasks(*[10] * 10)
    for one in more:
        engine.add(one)
    taken = engine.take()
    assert taken[0] is waiting[9]
    assert 4 <= len(taken) <= 6
    for _ in range(30):
        for one in taken:
            engine.leave(one)
            engine.add(one)
        taken = engine.take()
    assert len(taken) == 10


def test_out_of_memory_alone_uses_an_attempt() -> None:
    (a,) = waiting = tasks(10)
    engine = admission(waiting)
    engine.take()
    assert engine.out_of_memory([a]) == []
    assert engine.take() == [a]
    assert engine.out_of_memory([a]) == [a]


def test_out_of_memory_ends_whatever_the_engine_says() -> None:
    waiting = tasks(*[10] * 10)
    engine = admission(waiting)
    ended: list[Task] = []
    for _ in range(100):
        ended += engine.out_of_memory(engine.take())
    assert sorted(one.record.offset for one in ended) == list(range(10))


def test_forgotten_tasks_are_gone_wherever_they_stood() -> None:
    running, grouped, other, ready, last = waiting = tasks(40, 40, 20, 10, 10)
    engine = admission(waiting[:3])
    engine.take()
    engine.failed(grouped)
    engine.add(ready)
    engine.add(last)
    engine.forget([running, grouped, ready])
    assert engine.running == 1
    assert engine.take() == [last]
    engine.leave(other)
    engine.leave(last)
    assert engine.take() == []


def test_forgetting_does_not_forget_the_lowered_limit() -> None:
    waiting = tasks(*[10] * 10)
    engine = admission(waiting)
    engine.take()
    engine.out_of_memory([waiting[9]])
    engine.forget([*waiting, *tasks(*[10] * 90)])
    for one in tasks(*[10] * 10):
        engine.add(one)
    assert len(engine.take()) < 10


def test_one_step_out_of_memory_halves_once() -> None:
    waiting = tasks(*[10] * 10)
    engine = admission(waiting, attempts=3)
    assert engine.out_of_memory(engine.take()) == []
    assert len(engine.take()) >= 4


def test_out_of_memory_in_company_is_charged_to_nobody() -> None:
    waiting = tasks(10, 10, 10)
    engine = admission(waiting, attempts=1)
    assert engine.out_of_memory(engine.take()) == []
    assert [one.attempts for one in waiting] == [0, 0, 0]


def suspects(*companies: int) -> list[Task]:
    made = tasks(*[10] * len(companies))
    for one, company in zip(made, companies, strict=True):
        one.company = company
    return made


def test_suspects_go_in_no_larger_company_than_each_may_have() -> None:
    waiting = suspects(3, 3, 3, 2, 5, 1, 5)
    engine = admission(waiting)
    rounds = []
    while taken := engine.take():
        rounds.append([waiting.index(one) for one in taken])
        for one in taken:
            engine.leave(one)
    assert rounds == [[0, 1, 2], [3, 4], [5], [6]]


def test_suspects_share_no_more_than_the_capacity() -> None:
    a, b, c = waiting = suspects(9, 9, 9)
    engine = admission(waiting, capacity=20)
    assert engine.take() == [a, b]
    engine.leave(a)
    assert engine.take() == []  # none joins
    engine.leave(b)
    assert engine.take() == [c]


def test_suspects_are_apart_from_everything_up_to_the_durable_verdict() -> None:
    before, after = tasks(10, 10)
    (suspect,) = suspects(1)
    engine = admission([before])
    assert engine.take() == [before]
    engine.add(suspect)
    engine.add(after)
    engine.spoken(before)
    assert engine.take() == []
    engine.kept(before)
    assert engine.take(empty=False) == []  # something cancelled is still in the engine
    assert engine.take() == [suspect]
    assert engine.exclusive
    engine.spoken(suspect)
    assert list(engine.under_way()) == [suspect]
    assert engine.take() == []
    engine.kept(suspect)
    assert engine.take() == [after]
    assert not engine.exclusive


def test_speech_of_a_dead_tenure_is_under_way_until_the_pool_is_done_with_it() -> None:
    (before,), (suspect,) = tasks(10), suspects(1)
    engine = admission([before])
    engine.take()
    engine.spoken(before)
    engine.forget([before])
    engine.add(suspect)
    assert engine.take() == []
    engine.kept(before)
    assert engine.take() == [suspect]


def test_a_suspect_without_memory_stays_one_and_a_forgotten_one_goes() -> None:
    a, b, c = waiting = suspects(3, 3, 3)
    engine = admission(waiting)
    assert engine.take() == waiting
    assert engine.out_of_memory([b]) == []
    engine.leave(a)
    engine.leave(c)
    assert engine.take() == [b]
    engine.leave(b)
    engine.add(a)
    engine.forget([a])
    assert engine.take() == []


def test_who_has_used_up_its_attempts_is_exhausted() -> None:
    (a,) = waiting = tasks(10)
    engine = admission(waiting, attempts=2)
    states = []
    for attempts in range(4):
        a.attempts = attempts
        states.append(engine.exhausted(a))
    assert states == [False, False, True, True]
