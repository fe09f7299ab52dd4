"""Committed results as they come, typed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from streamer.clock import Clock
from streamer.errors import RegistryUnavailable, RequestFailed, SchemaNotLoaded
from streamer.kafka.base import Partition, Reader, Record

Undecodable = Callable[[Record, str], None]
"""Told of a record that is no result, and why."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """The half of wire.base.Codec that reads."""

    def decode(self, data: bytes | None) -> T_co: ...
    def load(self, schema_id: int) -> None: ...


class Follower(Generic[T]):
    """Reads the topics of results, read_committed, so that each result is seen once.

    A record that cannot be decoded is counted and told to `undecodable`; those behind it still come. One whose schema
    the registry does not give yet is waited for, and so are those behind it: nothing is skipped.
    """

    def __init__(
        self,
        reader: Reader,
        decoders: Mapping[str, Decoder[T]],
        clock: Clock,
        *,
        undecodable: Undecodable,
        waiting: Callable[[str], None],
    ) -> None:
        """`decoders`: of each topic that the reader reads, by its name. `waiting` is told why nothing comes while the
        registry does not answer, once for each reason."""
        self._reader, self._clock = reader, clock
        self._tell, self._tell_waiting = undecodable, waiting
        self._decoders = decoders
        self._unread: deque[Record] = deque()
        self._reason = ""
        self.undecodable = 0

    def poll(self, timeout: float, most: int = 500) -> list[T]:
        """The next results, at most `most`; waits up to `timeout` seconds for the first, and as long as the registry
        may take for a schema that was not met before."""
        if not self._unread:
            self._unread.extend(self._reader.poll(most, timeout))
        results: list[T] = []
        while self._unread and len(results) < most:
            record = self._unread[0]
            decoder = self._decoders[record.partition.topic]
            try:
                results.append(decoder.decode(record.value))
            except RequestFailed as error:
                self.undecodable += 1
                self._tell(record, error.message)
            except SchemaNotLoaded as error:
                if self._loaded(decoder, error.schema_id):
                    continue
                if not results:
                    self._clock.sleep(timeout)
                break
            self._unread.popleft()
        return results

    def _loaded(self, decoder: Decoder[T], schema_id: int) -> bool:
        try:
            decoder.load(schema_id)
        except RegistryUnavailable as error:
            if str(error) != self._reason:
                self._reason = str(error)
                self._tell_waiting(self._reason)
            return False
        self._reason = ""
        return True

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        """Whether every result below these offsets has been returned."""
        return not self._unread and self._reader.has_read(ends)

    def close(self) -> None:
        self._reader.close()
