from __future__ import annotations

import uuid

import pytest

from streamer.errors import (
    CommitsLost,
    ConfigurationError,
    MetadataMismatch,
    NotInitialised,
    StoreMismatch,
    StoreUnavailable,
)
from streamer.kafka.base import Commit, Message, Partition
from streamer.kafka.memory import MemoryCluster
from streamer.store.groups import Groups, Start
from streamer.store.memory import MemoryStore
from streamer.worker.initialise import initialise
from tests.worker.builders import TOPIC, TOPIC_ID, Rig, TroubledStore


def test_it_begins_every_partition_once() -> None:
    rig = Rig(partitions=2)
    assert [rig.commit(number).offset for number in (0, 1)] == [0, 0]
    before = [rig.commit(0), rig.commit(1)]
    assert rig.initialise() == []
    assert [rig.commit(0), rig.commit(1)] == before


def test_it_says_what_it_did() -> None:
    rig = Rig()
    rig.set_commit(None)
    rig.store = TroubledStore()
    assert rig.initialise() == ["tts.requests[0]: group streamer starts at offset 0"]


def test_it_begins_at_the_logs_start() -> None:
    rig = Rig()
    for number in range(3):
        rig.publish(str(number))
    rig.cluster.log(Partition(TOPIC, 0)).low = 2
    rig.set_commit(None)
    rig.store = TroubledStore()
    rig.initialise()
    assert rig.commit().offset == 2


def test_a_crash_between_commit_and_note_is_completed() -> None:
    rig = Rig()
    rig.set_commit(None)
    rig.store = TroubledStore()

    def crashes(key: str) -> bool:
        if key.startswith("groups/"):
            raise StoreUnavailable("crash")
        return False

    rig.store.refuses = crashes
    with pytest.raises(StoreUnavailable):
        rig.initialise()
    commit = rig.commit()
    rig.store.refuses = lambda key: False
    assert rig.initialise() == ["tts.requests[0]: noted that group streamer has begun"]
    assert rig.commit() == commit
    assert rig.initialise() == []


def test_lost_commits_are_not_made_again() -> None:
    rig = Rig()
    rig.set_commit(None)
    with pytest.raises(CommitsLost, match=r"requests\[0\].*--accept-duplicates"):
        rig.initialise()
    with pytest.raises(KeyError):
        rig.commit()
    with pytest.raises(CommitsLost, match="--accept-duplicates"):
        rig.worker().turn()


def test_added_partitions_are_begun_too() -> None:
    rig = Rig(partitions=1)
    log = rig.cluster.log(Partition(TOPIC, 0))
    rig.cluster.logs(TOPIC).append(type(log)(Partition(TOPIC, 1)))
    with pytest.raises(NotInitialised, match="streamer topics"):
        rig.worker().turn(2)
    rig.cluster.group("streamer").members.clear()
    assert rig.initialise() == ["tts.requests[1]: group streamer starts at offset 0"]
    rig.publish("a", partition=1)
    rig.worker().until(lambda: [result.id for result in rig.completed()] == ["a"])


def test_a_group_with_members_is_left_alone() -> None:
    rig = Rig()
    rig.worker().turn()
    rig.set_commit(None)
    rig.store = TroubledStore()
    with pytest.raises(ConfigurationError, match="stop its workers"):
        rig.initialise()


@pytest.mark.parametrize(
    ("own", "says"), [(None, "has no id: set store.url"), ("another", "is store another: set store.url")]
)
def test_a_store_that_is_not_the_groups_gets_nothing(own: str | None, says: str) -> None:
    rig = Rig(partitions=2)
    rig.set_commit(None, 0)
    before, theirs = rig.commit(1), Groups(rig.store).store_id()
    rig.store = TroubledStore()
    if own is not None:
        Groups(rig.store).make_store_id(own)
    kept = set(rig.store.list(""))
    with pytest.raises(MetadataMismatch, match=f"commits for store {theirs}.* {says}"):
        rig.initialise()
    assert set(rig.store.list("")) == kept
    assert rig.commit(1) == before
    with pytest.raises(KeyError):
        rig.commit(0)


def test_commits_that_are_not_ours_name_no_store() -> None:
    rig = Rig()
    rig.set_commit(Commit(0, "somebody else's"))
    rig.store = TroubledStore()
    assert rig.initialise() == ["tts.requests[0]: noted that group streamer has begun"]


def test_without_the_topic_it_says_so() -> None:
    rig = Rig()
    empty = MemoryCluster(rig.clock).broker().admin()
    with pytest.raises(NotInitialised, match=r"no topic tts\.requests.*streamer topics"):
        initialise(empty, MemoryStore(), rig.settings, TOPIC_ID)


def test_a_store_that_was_never_initialised_stops_a_worker() -> None:
    rig = Rig()
    rig.store = TroubledStore()
    with pytest.raises(StoreMismatch, match=r"set store\.url to the workers' one, or run `streamer topics`"):
        rig.worker()


# store/groups


def test_the_first_proposal_is_the_stores_id() -> None:
    groups = Groups(MemoryStore())
    assert groups.make_store_id("first") == "first"
    assert groups.make_store_id("second") == "first"
    assert groups.store_id() == "first"


@pytest.mark.parametrize("group", ["streamer", "a/b", "..", "组", "a b"])
def test_a_start_is_noted_once_for_each_group_topic_and_partition(group: str) -> None:
    groups = Groups(MemoryStore())
    assert groups.start(TOPIC_ID, group, 0) is None
    groups.note_start(TOPIC_ID, group, 0, 5)
    groups.note_start(TOPIC_ID, group, 0, 9)
    assert groups.start(TOPIC_ID, group, 0) == Start(5)
    assert groups.start(TOPIC_ID, group, 1) is None
    assert groups.start(TOPIC_ID, f"{group}-2", 0) is None
    assert groups.start(uuid.UUID(int=8), group, 0) is None


def test_messages_elsewhere_do_not_matter() -> None:
    rig = Rig()
    rig.cluster.append(Message(topic="tts.completed", key=b"k", value=b"v", partition=0))
    assert rig.initialise() == []
