"""The record that failed, as it was read: carried by its failure, or found at its position."""

from __future__ import annotations

from contextlib import closing

from streamer.clock import Clock
from streamer.errors import Retriable
from streamer.kafka.base import Broker, Partition, Record
from streamer.records import SpeechFailed

_PATIENCE = 30.0
"""Seconds for one record to be read."""
_POLL = 0.5


class Originals:
    """Thread safe: every reading has a client of its own. Originals that were cut are rare."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker, self._clock = broker, clock

    def of(self, failed: SpeechFailed) -> Record | None:
        """None: it was too large to be carried, and its topic no longer has it. Errors: those of the broker."""
        if failed.original.truncated:
            return self._read(failed)
        original, position = failed.original, failed.position
        return Record(
            partition=Partition(position.topic, position.partition),
            offset=position.offset,
            key=original.key,
            value=original.value,
            headers=tuple((header.name, header.value) for header in original.headers),
            timestamp=0,
        )

    def _read(self, failed: SpeechFailed) -> Record | None:
        partition, offset = Partition(failed.position.topic, failed.position.partition), failed.position.offset
        deadline = self._clock.monotonic() + _PATIENCE
        with closing(self._broker.reader_from({partition: offset})) as reader:
            while self._clock.monotonic() < deadline:
                for record in reader.poll(1, _POLL):
                    return record if record.offset == offset and _same(record, failed) else None
                if reader.has_read({partition: offset + 1}):
                    return None
        raise Retriable(f"{partition} offset {offset}: not read within {_PATIENCE:g} s")


def _same(record: Record, failed: SpeechFailed) -> bool:
    """A topic that was deleted and made again has another record there."""
    value = record.value or b""
    return len(value) == failed.original.size and value.startswith(failed.original.value or b"")
