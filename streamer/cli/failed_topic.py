"""The topic of failures, read by a command that ends."""

from __future__ import annotations

from typing import NoReturn

from streamer.clock import Clock
from streamer.downstream.follow import Follower
from streamer.errors import RegistryUnavailable
from streamer.kafka.base import Reader, Record
from streamer.records import SpeechFailed
from streamer.wire.base import Codec


class FailedTopic:
    """Its failures, and what stands there that is none."""

    def __init__(self, topic: str, reader: Reader, codec: Codec[SpeechFailed], clock: Clock) -> None:
        """`reader`: of this topic; it says where the end is."""
        self.topic, self.example = topic, ""
        self._reader = reader
        self._follower: Follower[SpeechFailed] = Follower(
            reader, {topic: codec}, clock, undecodable=self._tell, waiting=_give_up
        )

    @property
    def undecodable(self) -> int:
        """Entries that are no failures; `example` is the first."""
        return self._follower.undecodable

    def poll(self, timeout: float, most: int) -> list[SpeechFailed]:
        """Errors: RegistryUnavailable, those of the broker."""
        return self._follower.poll(timeout, most)

    def at_end(self) -> bool:
        return self._reader.at_end()

    def close(self) -> None:
        self._follower.close()

    def _tell(self, record: Record, reason: str) -> None:
        self.example = self.example or f"{record.partition} offset {record.offset}: {reason}"


def _give_up(reason: str) -> NoReturn:
    raise RegistryUnavailable(reason)  # what waits for ever has no end to tell
