"""Committed results as they come, typed."""

from __future__ import annotations

from collections.abc import Callable

from streamer.errors import RequestFailed
from streamer.kafka.base import Reader, Record
from streamer.records import Result
from streamer.wire import avro

Undecodable = Callable[[Record, str], None]
"""Told of a record that is no result, and why."""


class Follower:
    """Reads the topics of results, read_committed, so that each result is seen once.

    A record that cannot be decoded is counted and told to `undecodable`; those behind it still come.
    """

    def __init__(self, reader: Reader, *, completed: str, failed: str, undecodable: Undecodable) -> None:
        """`completed` and `failed`: the names of the topics; the reader may read one of them or both."""
        self._reader, self._tell = reader, undecodable
        self._decode: dict[str, Callable[[bytes | None], Result]] = {
            completed: avro.completed().decode,
            failed: avro.failed().decode,
        }
        self.undecodable = 0

    def poll(self, timeout: float, most: int = 500) -> list[Result]:
        """The next results, at most `most`; waits up to `timeout` seconds for the first."""
        results: list[Result] = []
        for record in self._reader.poll(most, timeout):
            try:
                results.append(self._decode[record.partition.topic](record.value))
            except RequestFailed as error:
                self.undecodable += 1
                self._tell(record, error.message)
        return results

    def close(self) -> None:
        self._reader.close()
