"""The tally of a run: its results, each record counted once."""

from __future__ import annotations

from streamer.records import Position, SpeechReplayed
from streamer.worker.replay.run import Run
from streamer.worker.replay.summary import Summary


class Tally:
    """Kafka forgets the commits of a group that nobody is in (offsets.retention.minutes, a week by default), and a run
    that is taken up later than that says all of its records again. The first time counts. Holds a bit for each offset.
    """

    def __init__(self, run: Run) -> None:
        self._ranges = run.ranges
        self._seen = {number: bytearray(range.size // 8 + 1) for number, range in run.ranges.items()}
        self.summary = Summary.of(run.label)
        """As far as was read."""

    def add(self, replayed: SpeechReplayed) -> None:
        """Results of other runs are passed over."""
        if replayed.run == self.summary.run and self._first(replayed.position):
            self.summary.add(replayed)

    def _first(self, position: Position) -> bool:
        range = self._ranges.get(position.partition)
        if range is None or not range.begin <= position.offset < range.end:
            return False  # no worker of the run said that
        byte, bit = divmod(position.offset - range.begin, 8)
        seen = self._seen[position.partition]
        if seen[byte] >> bit & 1:
            return False
        seen[byte] |= 1 << bit
        return True
