"""Where a run starts in its partitions, and where it ends."""

from __future__ import annotations

from streamer.errors import CommitsLost, MetadataMismatch, RetentionPassed
from streamer.kafka.base import Commit, Partition
from streamer.observe.logs import Log
from streamer.worker.ledger import Ledger
from streamer.worker.metadata import Finished, MetadataCodec
from streamer.worker.replay.run import Run


def anew(run: Run) -> str:
    """What a person can do about a run that is broken."""
    return f"begin it anew with `streamer replay {run.name} --restart`"


class RunStarts:
    """See start.StartingPoints: the run's ranges, each from the commit of the run's group; what has none begins with
    its range.

    What retention takes meanwhile is said and left out: a run that stopped there could never be finished.
    """

    def __init__(self, codec: MetadataCodec, run: Run, log: Log) -> None:
        self._codec, self._run, self._log = codec, run, log

    def covers(self, partition: Partition) -> bool:
        found = self._run.ranges.get(partition.number)
        return found is not None and found.size > 0

    def ledger(self, partition: Partition, commit: Commit | None, bounds: tuple[int, int]) -> Ledger:
        asked = self._run.ranges[partition.number]
        begin, end = asked.begin, asked.end
        low, high = bounds
        if high < end:
            raise CommitsLost(
                f"{partition}: run {self._run.label} goes to offset {end}, but the log ends at {high}: it lost "
                f"records; {anew(self._run)}"
            )
        finished = Finished(begin, (), begin) if commit is None else self._decoded(partition, commit)
        if finished.base < min(low, end):
            finished = self._passed(partition, finished, min(low, end))
        return Ledger(self._codec, finished, commit, end)

    def overtaken(self, error: RetentionPassed) -> None:
        self._log.warning("retention has passed what a run was reading", run=self._run.label, error=str(error))

    def _decoded(self, partition: Partition, commit: Commit) -> Finished:
        try:
            return self._codec.decode(commit)
        except MetadataMismatch as error:
            raise MetadataMismatch(f"{partition}: run {self._run.label}: {error}") from error

    def _passed(self, partition: Partition, finished: Finished, low: int) -> Finished:
        unfinished = tuple(offset for offset in finished.unfinished if offset >= low)
        gone = max(0, low - finished.top) + len(finished.unfinished) - len(unfinished)
        self._log.warning(
            "retention has taken offsets of a run; they are not replayed",
            run=self._run.label,
            partition=str(partition),
            offset=finished.base,
            log_begins=low,
            gone=gone,
        )
        return Finished(low, unfinished, max(low, finished.top))
