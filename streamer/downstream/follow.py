"""Committed results as they come, typed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from streamer.clock import Clock
from streamer.errors import RegistryUnavailable, RequestFailed, SchemaNotLoaded
from streamer.kafka.base import Reader, Record
from streamer.records import Result, SpeechCompleted, SpeechFailed
from streamer.wire.base import Codec, Codecs

Undecodable = Callable[[Record, str], None]
"""Told of a record that is no result, and why."""


class Follower:
    """Reads the topics of results, read_committed, so that each result is seen once.

    A record that cannot be decoded is counted and told to `undecodable`; those behind it still come. One whose schema
    the registry does not give yet is waited for, and so are those behind it: nothing is skipped.
    """

    def __init__(
        self,
        reader: Reader,
        codecs: Codecs,
        clock: Clock,
        *,
        completed: str,
        failed: str,
        undecodable: Undecodable,
        waiting: Callable[[str], None],
    ) -> None:
        """`completed` and `failed`: the names of the topics; the reader may read one of them or both. `waiting` is told
        why nothing comes while the registry does not answer, once for each reason."""
        self._reader, self._clock = reader, clock
        self._tell, self._tell_waiting = undecodable, waiting
        self._codecs: dict[str, Codec[SpeechCompleted] | Codec[SpeechFailed]] = {
            completed: codecs.completed,
            failed: codecs.failed,
        }
        self._unread: deque[Record] = deque()
        self._reason = ""
        self.undecodable = 0

    def poll(self, timeout: float, most: int = 500) -> list[Result]:
        """The next results, at most `most`; waits up to `timeout` seconds for the first, and as long as the registry
        may take for a schema that was not met before."""
        if not self._unread:
            self._unread.extend(self._reader.poll(most, timeout))
        results: list[Result] = []
        while self._unread and len(results) < most:
            record = self._unread[0]
            codec = self._codecs[record.partition.topic]
            try:
                results.append(codec.decode(record.value))
            except RequestFailed as error:
                self.undecodable += 1
                self._tell(record, error.message)
            except SchemaNotLoaded as error:
                if self._loaded(codec, error.schema_id):
                    continue
                if not results:
                    self._clock.sleep(timeout)
                break
            self._unread.popleft()
        return results

    def _loaded(self, codec: Codec[SpeechCompleted] | Codec[SpeechFailed], schema_id: int) -> bool:
        try:
            codec.load(schema_id)
        except RegistryUnavailable as error:
            if str(error) != self._reason:
                self._reason = str(error)
                self._tell_waiting(self._reason)
            return False
        self._reason = ""
        return True

    def close(self) -> None:
        self._reader.close()
