"""What `streamer topics` does for a group, once: the store's id, and a start in every partition."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from streamer.errors import CommitsLost, MetadataMismatch
from streamer.kafka.base import Admin, Commit, Partition
from streamer.settings import Settings
from streamer.store.base import Store
from streamer.store.groups import Groups
from streamer.worker.assembly import request_topic
from streamer.worker.metadata import MetadataCodec, store_named

_CALL = 10.0


def initialise(admin: Admin, store: Store, settings: Settings, proposal: uuid.UUID) -> list[str]:
    """Give the store its id and the group its start, once, where it has neither; what was done, a line each.

    A partition is begun at the log's start, and only where the group has neither a commit nor a noted start: a commit
    that was lost must stop a worker, not be made again here
    (CommitsLost, once the rest is done). The commit comes first: between the two a crash leaves a
    commit without its note, which the next run completes.

    Errors: MetadataMismatch, before anything is done, where a commit names another store than this one.
    """
    groups = Groups(store)
    topic = request_topic(admin, settings)
    partitions = [Partition(topic.name, number) for number in range(topic.partitions)]
    commits = admin.commits(settings.kafka.group, partitions, _CALL)
    _refuse_other_stores(commits, groups.known_id(), settings)
    codec = MetadataCodec(groups.make_store_id(proposal.hex[:16]), topic.id)
    done: list[str] = []
    lost: list[str] = []
    for partition in partitions:
        commit = commits[partition]
        noted = groups.start(topic.id, settings.kafka.group, partition.number)
        if commit is None and noted is not None:
            lost.append(f"{partition}: group {settings.kafka.group} had begun, and its commit is lost")
        elif commit is None:
            low = admin.low_watermarks([partition], _CALL)[partition]
            admin.set_commits(settings.kafka.group, {partition: codec.encode(low, (), low)}, _CALL)
            groups.note_start(topic.id, settings.kafka.group, partition.number, low)
            done.append(f"{partition}: group {settings.kafka.group} starts at offset {low}")
        elif noted is None:
            groups.note_start(topic.id, settings.kafka.group, partition.number, commit.offset)
            done.append(f"{partition}: noted that group {settings.kafka.group} has begun")
    if lost:
        raise CommitsLost("; ".join([*lost, "see `streamer worker --accept-duplicates`"]))
    return done


def _refuse_other_stores(commits: Mapping[Partition, Commit | None], known: str | None, settings: Settings) -> None:
    """An id made in the wrong store would have a bridge take it for the right one."""
    for partition, commit in commits.items():
        named = None if commit is None else store_named(commit)
        if named is not None and named != known:
            raise MetadataMismatch(
                f"{partition}: group {settings.kafka.group} commits for store {named}, and {settings.store.url} "
                f"{'has no id' if known is None else f'is store {known}'}: set store.url to the workers' one, or "
                "kafka.group to a new group where that store is lost; nothing was done"
            )
