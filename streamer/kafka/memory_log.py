"""The log of one partition in memory, with transactions and their markers."""

from __future__ import annotations

from typing import Literal

from streamer.kafka.base import Commit, Message, Partition, Record


class Transaction:
    """One transaction: which logs it wrote to, and the offsets that travel with it."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.state: Literal["open", "committed", "aborted"] = "open"
        self.logs: set[Log] = set()
        self.offsets: dict[tuple[str, Partition], Commit] = {}


class _Entry:
    __slots__ = ("record", "timestamp", "transaction")

    def __init__(self, record: Record | None, timestamp: int, transaction: Transaction | None) -> None:
        self.record = record  # None: a marker
        self.timestamp = timestamp
        self.transaction = transaction


class Log:
    """Entries by offset. `low` is the first that retention left."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.low = 0
        self._entries: list[_Entry] = []

    @property
    def end(self) -> int:
        return len(self._entries)

    @property
    def stable(self) -> int:
        """The last stable offset: the first of an open transaction, or the end."""
        for offset, entry in enumerate(self._entries):
            if entry.transaction is not None and entry.transaction.state == "open" and entry.record is not None:
                return offset
        return self.end

    def append(self, message: Message, timestamp: int, transaction: Transaction | None) -> None:
        record = Record(
            partition=self.partition,
            offset=self.end,
            key=message.key,
            value=message.value,
            headers=message.headers,
            timestamp=timestamp,
        )
        self._entries.append(_Entry(record, timestamp, transaction))

    def mark(self, transaction: Transaction, timestamp: int) -> None:
        self._entries.append(_Entry(None, timestamp, transaction))

    def at(self, timestamp: int) -> int:
        """The first stable offset with this time stamp (ms) or a later one; the stable end where there is none."""
        end = self.stable
        return next((n for n in range(self.low, end) if self._entries[n].timestamp >= timestamp), end)

    def read(self, offset: int, most: int) -> tuple[list[Record], int]:
        """Up to `most` committed records from `offset` on, and the offset after what was passed."""
        records: list[Record] = []
        end = self.stable
        while offset < end and len(records) < most:
            entry = self._entries[offset]
            offset += 1
            if entry.record is not None and (entry.transaction is None or entry.transaction.state == "committed"):
                records.append(entry.record)
        while offset < end and self._invisible(self._entries[offset]):
            offset += 1
        return records, offset

    @staticmethod
    def _invisible(entry: _Entry) -> bool:
        return entry.record is None or (entry.transaction is not None and entry.transaction.state == "aborted")
