"""A worker that is thrown away is one that crashed; who comes next knows the store, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from streamer.errors import StopWorker
from streamer.kafka.base import Partition
from streamer.store.attempts import Attempts, Note, Suspect
from tests.worker.builders import PARTITION, TOPIC, Rig, Running, TroubledStore

SESSION = 7.0
"""Seconds after which the group has noticed a crash."""


def attempts(rig: Rig) -> Attempts:
    topic = rig.cluster.topic(TOPIC)
    assert topic is not None
    return Attempts(rig.store, topic.id, rig.settings.kafka.group)


def note(rig: Rig, partition: int = 0) -> Note:
    return attempts(rig).page(partition).read()


def leave_note(rig: Rig, note: Note, partition: int = 0) -> None:
    attempts(rig).page(partition).write(note)


def notes_written(store: TroubledStore) -> int:
    return sum(operation == "replace" and key.endswith("-attempts.json") for operation, key in store.calls)


class Deaths:
    """Workers of one rig, one after the other; each ends when the engine is given what kills it."""

    def __init__(self, rig: Rig, kills: Sequence[str]) -> None:
        self.rig, self.kills = rig, set(kills)
        self.companies: list[list[str]] = []
        """What was in the engine at each death."""
        self._names = 0  # so many were used

    def live(self, turns: int = 400) -> Running:
        """Under a new name each, until one has nothing left to do."""
        for self._names in range(20):
            worker = self.rig.worker(f"w{self._names}")
            if not self._dies(worker, turns):
                return worker
            self.rig.clock.advance(SESSION)
        raise AssertionError(f"a crash loop: {self.companies}")

    def _dies(self, worker: Running, turns: int) -> bool:
        for _ in range(turns):
            worker.worker.turn()
            texts = [task.utterance.text for task, speak in worker.host._inbox if speak and task.utterance]
            if self.kills & set(texts):
                self.companies.append(texts)
                return True
            worker.others()
            worker.clock.advance(0.01)
        return False


@pytest.fixture
def rig() -> Rig:
    return Rig(partitions=2, capacity=100_000)


def until_asked(worker: Running, operation: str) -> None:
    """Turn until the pool has a job of that kind, and has not begun with it."""
    for _ in range(100):
        worker.worker.turn()
        if any(job.operation == operation for job in worker.pool.jobs):
            return
        worker.others()
    raise AssertionError(f"no {operation}")


def publish(rig: Rig, texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        rig.publish(f"id-{number}", text, partition=number % 2)


def test_one_that_kills_fails_after_its_attempts_and_its_neighbours_are_spoken(rig: Rig) -> None:
    texts = [f"text {number}" for number in range(60)]
    publish(rig, texts)
    deaths = Deaths(rig, ["text 33"])
    worker = deaths.live()
    (failed,) = rig.failed()
    assert (failed.id, failed.code, failed.attempts) == ("id-33", "synthesis_failed", 3)
    assert "it killed its worker 3 times, alone" in failed.message
    assert sorted(done.id for done in rig.completed()) == sorted(f"id-{n}" for n in range(60) if n != 33)
    sizes = [len(company) for company in deaths.companies]
    assert sizes[-3:] == [1, 1, 1]  # engine.attempts
    assert len(sizes) <= 5  # 60, 7, and alone
    assert worker.worker.held == 0
    assert all(following <= max(1, before // 8) for before, following in pairwise(sizes))


def test_two_that_kill_are_told_apart(rig: Rig) -> None:
    publish(rig, [f"text {number}" for number in range(10)])
    deaths = Deaths(rig, ["text 3", "text 8"])
    deaths.live()
    assert sorted(failed.id for failed in rig.failed()) == ["id-3", "id-8"]
    assert len(rig.completed()) == 8
    assert len(deaths.companies) <= 2 * (1 + 3)


def test_what_is_new_is_noted_before_it_enters_the_engine(rig: Rig) -> None:
    rig.publish("a", "one")
    worker = rig.worker()
    worker.until(lambda: bool(worker.engine.submitted) or bool(notes_written(rig.store)))
    assert worker.engine.submitted == []
    assert note(rig) == Note(under_way=[0], company=2)
    worker.until(lambda: bool(rig.completed()))


def test_a_round_is_one_write_for_each_of_its_partitions(rig: Rig) -> None:
    worker = rig.worker()
    worker.turn(5)
    publish(rig, [f"text {number}" for number in range(40)])
    worker.until(lambda: len(rig.completed()) == 40)
    assert notes_written(rig.store) == 2


def test_rounds_grow_while_one_is_being_written(rig: Rig) -> None:
    worker = rig.worker()
    worker.engine.held = {"text 0", "text 1", "text 2", "text 3"}
    rig.publish("id-0", "text 0")
    worker.until(lambda: bool(worker.engine.submitted))
    written = notes_written(rig.store)
    for number in (1, 2, 3):
        rig.publish(f"id-{number}", f"text {number}")
    worker.until(lambda: len(worker.engine.submitted) == 4)
    assert notes_written(rig.store) <= written + 2
    assert note(rig).under_way == [0, 1, 2, 3]


def test_rounds_that_name_thousands_are_rare(rig: Rig) -> None:
    """Each takes its time from the loop's; all that came meanwhile enters with the next."""
    held = [f"text {number}" for number in range(5_000)]
    worker = rig.worker()
    worker.engine.held = {*held, *(f"late {number}" for number in range(40))}
    for number, text in enumerate(held):
        rig.publish(f"id-{number}", text)
    worker.until(lambda: len(worker.engine.submitted) == 5_000)
    began, written = rig.clock.monotonic(), notes_written(rig.store)
    for number in range(40):
        rig.publish(f"late-{number}", f"late {number}")
        worker.turn()
        rig.clock.advance(0.002)
    rounds, seconds = notes_written(rig.store) - written, rig.clock.monotonic() - began
    assert 2 <= rounds <= seconds / 0.02 + 1
    worker.until(lambda: len(worker.engine.submitted) == 5_040)


def test_while_the_store_is_down_nothing_enters_and_nothing_is_lost(rig: Rig) -> None:
    worker = rig.worker()
    worker.turn(5)
    rig.publish("a", "one")
    until_asked(worker, "note_attempts")
    rig.store.down = True
    for _ in range(50):
        worker.turn()
        worker.clock.advance(0.1)
    assert worker.engine.submitted == []
    rig.store.down = False
    worker.until(lambda: bool(rig.completed()), 1000)
    assert rig.failed() == []


def test_a_store_that_refuses_notes_stops_the_worker(rig: Rig) -> None:
    rig.store.refuses = lambda key: key.endswith("-attempts.json")
    rig.publish("a", "one")
    worker = rig.worker()
    with pytest.raises(
        StopWorker, match=r"tts.requests\[0\]: what enters the engine cannot be noted: groups/.*injected"
    ):
        worker.turn(10)
    assert worker.engine.submitted == []


def test_a_note_that_nobody_can_read_is_begun_anew(rig: Rig) -> None:
    leave_note(rig, Note())
    (key,) = (key for key in rig.store.list("groups/") if key.endswith("0-attempts.json"))
    rig.store.replace(key, b"junk")
    rig.publish("a", "one")
    worker = rig.worker()
    worker.until(lambda: bool(rig.completed()))
    assert note(rig).under_way == [0]


def test_a_suspect_that_finishes_is_an_ordinary_completion_and_is_forgotten(rig: Rig) -> None:
    rig.publish("a", "one")
    rig.publish("b", "two")
    leave_note(rig, Note(under_way=[0], company=1, suspects={0: Suspect(1, 1)}))
    worker = rig.worker()
    worker.until(lambda: len(rig.completed()) == 2)
    assert rig.failed() == []
    rig.publish("c", "three")
    worker.until(lambda: len(rig.completed()) == 3)
    assert note(rig) == Note(under_way=[2], company=2)


def test_charges_of_the_last_worker_count_as_attempts(rig: Rig) -> None:
    rig.publish("a", "one")
    leave_note(rig, Note(under_way=[0], company=1, suspects={0: Suspect(1, 1)}))
    worker = rig.worker()
    worker.engine.fails.add("one")
    worker.until(lambda: bool(rig.failed()))
    assert (rig.failed()[0].attempts, rig.failed()[0].message) == (3, "injected")
    assert worker.engine.submitted == ["one"]


def test_who_has_used_up_its_attempts_is_not_tried_again(rig: Rig) -> None:
    rig.publish("a", "one")
    leave_note(rig, Note(under_way=[0], company=1, suspects={0: Suspect(1, 2)}))
    worker = rig.worker()
    worker.until(lambda: bool(rig.failed()))
    assert worker.engine.submitted == []
    assert rig.failed()[0].message.startswith("it killed its worker 3 times, alone: ")


def test_a_suspect_is_alone_in_all_partitions_up_to_its_verdict(rig: Rig) -> None:
    rig.publish("s", "suspect")
    leave_note(rig, Note(under_way=[0], company=2))
    worker = rig.worker()
    worker.engine.held = {"suspect"}
    worker.until(lambda: worker.engine.submitted == ["suspect"])
    assert note(rig) == Note(under_way=[0], company=1, suspects={0: Suspect(2)})
    rig.publish("a", "same partition")
    rig.publish("b", "other partition", partition=1)
    worker.turn(20)
    assert worker.engine.submitted == ["suspect"]
    worker.engine.held = set()
    worker.host.turn()
    for _ in range(20):  # spoken, and the pool is busy with it
        worker.worker.turn()
        worker.host.turn()
    assert [job.operation for job in worker.pool.jobs] == ["keep_speech"]
    assert worker.engine.submitted == ["suspect"]
    worker.until(lambda: len(rig.completed()) == 3)


def two_workers(rig: Rig, text: str) -> tuple[Running, Callable[[], Running]]:
    """One that is speaking the first record of partition 0, alone; and another that takes it over."""
    publish(rig, [text])
    leave_note(rig, Note(under_way=[0], company=2))
    first = rig.worker("a")
    first.engine.held.add(text)
    first.until(lambda: bool(first.engine.submitted))
    assert note(rig).alone

    def other() -> Running:
        second = rig.worker("b")
        second.until(lambda: bool(rig.completed()) or bool(rig.failed()), 2000)
        return second

    return first, other


def test_a_worker_that_leaves_in_order_charges_nobody(rig: Rig) -> None:
    first, other = two_workers(rig, "one")
    first.worker.close()
    first.pool.work()
    assert note(rig) == Note(suspects={0: Suspect(2)})
    other()
    assert [done.id for done in rig.completed()] == ["id-0"]
    assert note(rig).suspects == {0: Suspect(2)}


def test_a_worker_that_leaves_while_a_step_hangs_charges_the_one_that_is_alone(rig: Rig) -> None:
    first, other = two_workers(rig, "one")
    first.host.step_began = first.clock.monotonic() - 0.2 * first.engine.profile.step_limit
    first.worker.close()
    first.pool.work()
    assert note(rig).alone
    assert note(rig).accused() == {0: Suspect(1, 1)}
    other()
    assert [done.id for done in rig.completed()] == ["id-0"]


def test_a_partition_that_comes_back_to_its_worker_finds_nobody_accused(rig: Rig) -> None:
    first, _ = two_workers(rig, "one")
    first.worker.revoked([PARTITION])
    first.worker.assigned([PARTITION])
    first.engine.held.clear()
    work = first.pool.work

    def backwards() -> None:
        first.pool.jobs.reverse()  # what clears the note may come after what reads it
        work()

    first.pool.work = backwards  # type: ignore[method-assign]
    tenure = first.worker._tenures[PARTITION]
    first.until(lambda: tenure.suspects is not None)
    assert tenure.suspects == {0: Suspect(2)}
    first.until(lambda: bool(rig.completed()))
    assert rig.failed() == []


def test_the_share_of_a_dead_tenure_does_not_hold_the_others_up(rig: Rig) -> None:
    worker = rig.worker()
    worker.turn(5)
    publish(rig, ["one", "two"])
    worker.until(lambda: bool(notes_pending(worker)))
    worker.worker.revoked([Partition(TOPIC, 0)])
    worker.until(lambda: bool(rig.completed()))
    assert worker.engine.submitted == ["two"]


def test_nor_does_it_where_the_store_is_away(rig: Rig) -> None:
    worker = rig.worker()
    worker.turn(5)
    publish(rig, ["one", "two"])
    until_asked(worker, "note_attempts")
    rig.store.down = True
    worker.pool.work()
    worker.pool._done.reverse()  # of the two the dead one is heard of last, and not kept
    worker.worker.revoked([Partition(TOPIC, 0)])
    worker.turn()
    rig.store.down = False
    worker.until(lambda: bool(rig.completed()), 1000)
    assert worker.engine.submitted == ["two"]


def test_what_is_committed_is_suspected_no_longer(rig: Rig) -> None:
    rig.publish("a", "one")
    rig.worker("a").until(lambda: bool(rig.completed()))
    assert note(rig).under_way == [0]
    rig.clock.advance(SESSION)
    rig.publish("b", "two")
    rig.worker("b").until(lambda: len(rig.completed()) == 2, 2000)
    assert note(rig) == Note(under_way=[1], company=2)


def test_nobody_is_alone_while_what_was_cancelled_is_still_in_the_engine(rig: Rig) -> None:
    publish(rig, ["hangs", "suspect"])
    for partition in (0, 1):
        leave_note(rig, Note(under_way=[0], company=2), partition)
    worker = rig.worker()
    worker.engine.held = {"hangs", "suspect"}
    worker.until(lambda: bool(worker.engine.submitted))
    (first,) = worker.engine.submitted
    (second,) = {"hangs", "suspect"} - {first}
    worker.worker.revoked([Partition(TOPIC, ["hangs", "suspect"].index(first))])
    for _ in range(20):  # the step that it is in does not return
        worker.worker.turn()
        worker.pool.work()
    assert not note(rig, ["hangs", "suspect"].index(second)).alone
    worker.until(lambda: worker.engine.submitted == [first, second])


def notes_pending(worker: Running) -> list[object]:
    """The round is on its way to the store, and the loop has not heard of it."""
    return [done for done in worker.pool._done if done.job.operation == "note_attempts"]


def test_one_that_was_alone_and_waits_for_another_try_is_not_charged_with_the_next_ones_death(rig: Rig) -> None:
    """Its note is written anew when another one of another partition is alone."""
    publish(rig, ["flawed", "killer"])
    leave_note(rig, Note(under_way=[0], company=1))
    leave_note(rig, Note(under_way=[0], company=1), partition=1)
    worker = rig.worker()
    worker.engine.held.add("killer")
    worker.engine.silent["flawed"] = _Every()
    worker.until(lambda: "killer" in worker.engine.submitted)
    worker.turn(3)
    assert [number for number in (0, 1) if note(rig, number).alone] == [1]


class _Every(set[int]):
    def __contains__(self, _: object) -> bool:
        return True
