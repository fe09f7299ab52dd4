from __future__ import annotations

import uuid

import pytest

from streamer.errors import StoreRejected, StoreUnavailable
from streamer.store.attempts import Attempts, Note, Suspect
from tests.worker.builders import TroubledStore

TOPIC_ID = uuid.UUID(int=7)
KEY = f"groups/{TOPIC_ID}/g-a%2Fgroup/3-attempts.json"


@pytest.fixture
def store() -> TroubledStore:
    return TroubledStore()


@pytest.fixture
def attempts(store: TroubledStore) -> Attempts:
    return Attempts(store, TOPIC_ID, "a/group")


def test_a_note_is_read_as_it_was_written_by_another_process(store: TroubledStore, attempts: Attempts) -> None:
    note = Note(under_way=[5, 7], company=9, suspects={5: Suspect(70), 2**40: Suspect(1, 2)})
    assert attempts.page(3).read() == Note()
    attempts.page(3).write(note)
    assert list(store.list("groups/")) == [KEY]
    assert Attempts(store, TOPIC_ID, "a/group").page(3).read() == note
    assert attempts.page(2).read() == Note()


def test_who_is_accused_of_a_death() -> None:
    earlier = {1: Suspect(60), 2: Suspect(60, 1), 3: Suspect(1, 1)}
    company = Note(under_way=[2, 9], company=7, suspects=earlier)
    assert company.accused() == {1: Suspect(60), 2: Suspect(7, 1), 3: Suspect(1, 1), 9: Suspect(7)}
    alone = Note(under_way=[3], company=1, suspects=earlier)
    assert alone.accused() == {1: Suspect(60), 2: Suspect(60, 1), 3: Suspect(1, 2)}
    assert Note(company=1, suspects=earlier).accused() == earlier


@pytest.mark.parametrize("data", [b"", b"junk", b'{"under_way": "all"}', b'{"version": 2}'])
def test_what_it_cannot_read_is_said(store: TroubledStore, attempts: Attempts, data: bytes) -> None:
    store.put(KEY, data)
    with pytest.raises(StoreRejected, match=r"3-attempts\.json"):
        attempts.page(3).read()


def test_what_was_interrupted_is_taken_back_and_suspects_stay(attempts: Attempts) -> None:
    page = attempts.page(3)
    page.write(Note(under_way=[5], company=1, suspects={5: Suspect(1, 1), 6: Suspect(8)}))
    page.end(clearing=True)
    page.clear()
    page.clear()
    assert attempts.page(3).read() == Note(suspects={5: Suspect(1, 1), 6: Suspect(8)})


def test_what_may_still_kill_its_worker_is_not_taken_back(attempts: Attempts) -> None:
    page, note = attempts.page(3), Note(under_way=[5], company=1)
    page.write(note)
    page.end(clearing=False)
    page.clear()
    assert attempts.page(3, page).read() == note


def test_only_its_own_note_is_taken_back(store: TroubledStore, attempts: Attempts) -> None:
    page, other, others = attempts.page(3), attempts.page(3), Note(under_way=[6], company=2)
    page.write(Note(under_way=[5], company=2))
    other.write(others)
    page.end(clearing=True)
    page.clear()
    assert other.read() == others


def test_a_tenure_that_ended_writes_nothing(store: TroubledStore, attempts: Attempts) -> None:
    page = attempts.page(3)
    page.end(clearing=True)
    page.write(Note(under_way=[5]))
    page.clear()
    assert store.calls == []


def test_the_next_tenure_of_the_process_reads_after_the_last_one_was_cleared(attempts: Attempts) -> None:
    page = attempts.page(3)
    page.write(Note(under_way=[5], company=1))
    page.end(clearing=True)
    following = attempts.page(3, page)
    assert following.read() == Note()
    following.write(note := Note(under_way=[5], company=1))
    page.clear()  # the job that was late
    assert following.read() == note


def test_clearing_is_tried_again_after_an_outage_and_takes_back_a_note_whose_answer_was_lost(
    store: TroubledStore, attempts: Attempts
) -> None:
    page = attempts.page(3)
    replace = store.replace

    def lost(key: str, data: bytes, download_name: str | None = None) -> None:
        replace(key, data, download_name)
        raise StoreUnavailable("injected, written")

    store.replace = lost  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        page.write(Note(under_way=[5], company=1))
    store.replace = replace  # type: ignore[method-assign]
    page.end(clearing=True)
    store.down = True
    with pytest.raises(StoreUnavailable):
        page.clear()
    store.down = False
    page.clear()
    assert attempts.page(3).read() == Note()
