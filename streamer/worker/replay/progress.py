"""How far a run is, seen from outside its processes: what its group has committed."""

from __future__ import annotations

from typing import NamedTuple

from streamer.kafka.base import Admin, Commit, Partition
from streamer.worker.metadata import MetadataCodec
from streamer.worker.replay.run import Range, Run


class Standing(NamedTuple):
    """Of one moment."""

    done: int
    """Offsets that are finished and committed, by whichever process."""
    total: int
    finished: bool
    """Every partition is."""


class Progress:
    """Asks for the commits of a run's group. Thread safe as the admin is."""

    def __init__(self, admin: Admin, codec: MetadataCodec, run: Run, group: str, topic: str) -> None:
        """`group`: kafka.group. `topic`: of the requests."""
        self._admin, self._codec = admin, codec
        self._group = run.group(group)
        self._ranges = {Partition(topic, number): range for number, range in run.ranges.items() if range.size > 0}

    def look(self, timeout: float) -> Standing:
        """Waits up to `timeout` seconds, as behind a killed process's open transaction. Errors: BrokerUnreachable;
        MetadataMismatch where somebody else committed for the group."""
        total = sum(range.size for range in self._ranges.values())
        if not self._ranges:
            return Standing(0, 0, finished=True)
        commits = self._admin.commits(self._group, list(self._ranges), timeout)
        done = sum(self._done(commits[partition], range) for partition, range in self._ranges.items())
        return Standing(done, total, finished=done >= total)

    def _done(self, commit: Commit | None, range: Range) -> int:
        if commit is None:
            return 0
        finished = self._codec.decode(commit)
        return min(finished.top, range.end) - range.begin - len(finished.unfinished)
