"""Where a partition starts: at its commit, or nowhere until a person decides."""

from __future__ import annotations

import uuid
from typing import NamedTuple, Protocol

from streamer.errors import CommitsLost, MetadataMismatch, NotInitialised, RetentionPassed
from streamer.kafka.base import Commit, Partition
from streamer.store.groups import Groups
from streamer.worker.ledger import Ledger
from streamer.worker.metadata import Finished, MetadataCodec


class Allowed(NamedTuple):
    """What the operator accepts, for this start."""

    duplicates: bool = False
    loss: bool = False


class StartingPoints(Protocol):
    """Which partitions a worker reads, and from where. Errors: StopWorker leaves that name the remedy."""

    def covers(self, partition: Partition) -> bool:
        """Whether it reads the partition at all."""
        ...

    def ledger(self, partition: Partition, commit: Commit | None, bounds: tuple[int, int]) -> Ledger:
        """`bounds`: the first offset in the log and the one after its last."""
        ...

    def overtaken(self, error: RetentionPassed) -> None:
        """Retention took what was about to be read: raise it, or have every partition begin at its commit again."""
        ...


class Starts:
    """See StartingPoints: every partition, from the group's commit."""

    def __init__(self, codec: MetadataCodec, groups: Groups, topic_id: uuid.UUID, group: str, allowed: Allowed) -> None:
        self._codec, self._groups = codec, groups
        self._topic_id, self._group, self._allowed = topic_id, group, allowed
        self._begun: set[Partition] = set()

    def covers(self, partition: Partition) -> bool:
        return True

    def ledger(self, partition: Partition, commit: Commit | None, bounds: tuple[int, int]) -> Ledger:
        low, high = bounds
        # What the operator accepts, he accepts once: a partition that comes back in a worse state is looked at again.
        allowed = Allowed() if partition in self._begun else self._allowed
        self._begun.add(partition)
        if commit is None:
            if allowed.duplicates:
                return self._fresh(low)
            raise self._missing(partition)
        if commit.offset > high:
            if allowed.duplicates:
                return self._fresh(low)
            raise CommitsLost(
                f"{partition}: offset {commit.offset} is committed, but the log ends at {high}: it lost records. "
                "Start with --accept-duplicates to read it from its beginning; known ids are answered from the store"
            )
        try:
            finished = self._codec.decode(commit)
        except MetadataMismatch as error:
            if allowed.duplicates:
                return self._fresh(low)
            raise MetadataMismatch(f"{partition}: {error}") from error
        if commit.offset < low:
            if not allowed.loss:
                raise RetentionPassed(
                    f"{partition}: offset {commit.offset} is committed, but the log begins at {low}: retention took "
                    f"{low - commit.offset} offsets that were never finished. Start with --accept-loss to go on there"
                )
            unfinished = tuple(offset for offset in finished.unfinished if offset >= low)
            finished = Finished(low, unfinished, max(low, finished.top))
        return Ledger(self._codec, finished, commit)

    def overtaken(self, error: RetentionPassed) -> None:
        raise error

    def _fresh(self, low: int) -> Ledger:
        return Ledger(self._codec, Finished(low, (), low), None)

    def _missing(self, partition: Partition) -> CommitsLost | NotInitialised:
        if self._groups.start(self._topic_id, self._group, partition.number) is None:
            return NotInitialised(
                f"{partition}: group {self._group} was never initialised there; run `streamer topics`, also after "
                "adding partitions"
            )
        return CommitsLost(
            f"{partition}: the commits of group {self._group} expired or were lost. Start with --accept-duplicates to "
            "read the partition from its beginning; results that were emitted before are emitted again"
        )
