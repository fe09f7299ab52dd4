"""A reader that ends."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.kafka.base import Partition, Reader, Record


class BoundedReader:
    """See kafka.base.Reader. Delivers what stands before `ends`, and is at its end there, whatever still comes."""

    def __init__(self, reader: Reader, ends: Mapping[Partition, int]) -> None:
        """`reader` reads the partitions of `ends`, and is closed with this one."""
        self._reader, self._ends = reader, ends

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        return [r for r in self._reader.poll(max_records, timeout) if r.offset < self._ends[r.partition]]

    def at_end(self) -> bool:
        return self._reader.has_read(self._ends)

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        return self._reader.has_read(ends)

    def close(self) -> None:
        self._reader.close()
