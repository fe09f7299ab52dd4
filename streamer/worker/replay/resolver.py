"""Which offsets of which partitions a selection means, at this moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from streamer.errors import ConfigurationError
from streamer.identity import Identity
from streamer.kafka.base import Admin, Partition, Topic
from streamer.store.verdicts import Verdicts
from streamer.worker.replay.run import Range
from streamer.worker.replay.selection import Bound, Selection, written

_CALL = 10.0
"""Seconds that the cluster has to answer."""
_UNDECIDED = "nothing was decided about it: is --source right, and has a worker come to it?"


class Resolver:
    """Errors: ConfigurationError, which names the option; BrokerUnreachable, those of the store."""

    def __init__(self, admin: Admin, topic: Topic, verdicts: Verdicts, now: Callable[[], float]) -> None:
        """`topic`: of the requests. `now`: seconds since the epoch."""
        self._admin, self._topic, self._verdicts, self._now = admin, topic, verdicts, now

    def ranges(self, selection: Selection) -> dict[int, Range]:
        """By partition number."""
        if selection.identity is not None:
            return self._record_of(selection.identity)
        partitions = self._partitions(selection.partitions)
        self._check(selection, len(partitions))
        lows = self._admin.low_watermarks(partitions, _CALL)
        ends = self._admin.ends(partitions, _CALL)
        begins = self._offsets("--from", selection.begin, dict.fromkeys(partitions, 0), ends)
        stops = self._offsets("--to", selection.end, ends, ends)
        for partition, begin in begins.items():
            if begin > stops[partition]:
                raise _wrong(
                    f"--from: {partition} would be read from offset {begin} to {stops[partition]}; --to comes first"
                )
        timed = isinstance(selection.begin, datetime)
        return {p.number: _range(begins[p], stops[p], lows[p], timed=timed) for p in partitions}

    def _partitions(self, wanted: Sequence[int]) -> list[Partition]:
        count = self._topic.partitions
        unknown = [number for number in wanted if not 0 <= number < count]
        if unknown:
            has = "one partition, 0" if count == 1 else f"{count} partitions, 0 to {count - 1}"
            raise _wrong(*(f"--partition {number}: {self._topic.name} has {has}" for number in unknown))
        return [Partition(self._topic.name, number) for number in wanted or range(count)]

    def _check(self, selection: Selection, partitions: int) -> None:
        problems = []
        begin, end, now = selection.begin, selection.end, datetime.fromtimestamp(self._now(), UTC)
        for name, value in (("--from", begin), ("--to", end)):
            if isinstance(value, datetime) and value > now:
                hint = "; leave it out to go to the present end" if name == "--to" else ""
                problems.append(f"{name} {written(value)} lies in the future{hint}")
            elif isinstance(value, int) and partitions > 1:
                problems.append(f"{name} {value} is an offset, and each partition counts its own: give one --partition")
        if isinstance(begin, datetime) and isinstance(end, datetime) and begin > end:
            problems.append(f"--from {written(begin)} is later than --to {written(end)}")
        if problems:
            raise _wrong(*problems)

    def _offsets(
        self, name: str, value: Bound | None, default: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> Mapping[Partition, int]:
        if value is None:
            return default
        if isinstance(value, datetime):
            found = self._admin.offsets_at(list(ends), int(value.timestamp() * 1000), _CALL)
            # What was published after the ends were asked for is not in the range.
            return {partition: min(found[partition], end) for partition, end in ends.items()}
        for partition, end in ends.items():
            if value > end:
                raise _wrong(f"{name} {value} lies beyond the end of {partition}, {end}")
        return dict.fromkeys(ends, value)

    def _record_of(self, identity: Identity) -> dict[int, Range]:
        """The one record that owns the latest verdict."""
        asked = f"--id {identity.id!r} of --source {identity.source!r}"
        verdict = self._verdicts.latest(identity)
        if verdict is None:
            why = _UNDECIDED if identity.source else "ids belong to their source: give --source"
            raise _wrong(f"{asked}: {why}")
        if verdict.deleted:
            raise _wrong(f"{asked}: `streamer delete` took its audio away; it is not made again")
        owner, cluster = verdict.owner, self._admin.cluster_id(_CALL)
        if owner.cluster != cluster:
            raise _wrong(
                f"{asked}: its record stands in cluster {owner.cluster}, and this is {cluster}; set "
                "kafka.bootstrap_servers to the other"
            )
        if owner.topic != str(self._topic.id):
            raise _wrong(
                f"{asked}: its record stood in topic {owner.topic}, and {self._topic.name} is {self._topic.id}: that "
                "one was deleted and made again, or kafka.topics.requests names another"
            )
        partition = Partition(self._topic.name, owner.partition)
        low, end = (ask([partition], _CALL)[partition] for ask in (self._admin.low_watermarks, self._admin.ends))
        if owner.offset >= end:
            raise _wrong(f"{asked}: its record stood at offset {owner.offset} of {partition}, which ends at {end} now")
        return {owner.partition: _range(owner.offset, owner.offset + 1, low, timed=False)}


def _range(begin: int, end: int, low: int, *, timed: bool) -> Range:
    """What is left of [begin, end) in a log that starts at `low`. A time is found in what is left: where that is the
    very start, all that is gone may have been later."""
    if timed:
        return Range(begin, end, gone=low if begin == low else 0)
    return Range(max(begin, low), max(end, low), gone=max(0, min(end, low) - begin))


def _wrong(*problems: str) -> ConfigurationError:
    return ConfigurationError(problems)
