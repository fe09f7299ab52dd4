"""One short Kafka transaction: results and source offsets, all or nothing.

    begin → produce results → check membership → send offsets → commit

Opened only over durable results, never before slow work: an open transaction hides what follows it from every reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from functools import partial

from streamer.clock import Clock
from streamer.errors import AbortRequired, Fenced, MetadataTooLarge, OutcomeUnknown, Retriable
from streamer.kafka.base import Broker, Commit, Consumer, GroupMetadata, Message, Partition, Producer

_PAUSE = 0.05
_ABORT_PATIENCE = 3.0


class Ending(Enum):
    COMMITTED = auto()
    ABORTED = auto()
    """Nothing was committed: the same results go into the next transaction."""
    METADATA_REFUSED = auto()
    """Aborted, because the broker takes less metadata than was sent."""
    UNKNOWN = auto()
    """It may or may not be committed: renew the producer and go back to committed()."""


class Transactor:
    """Runs transactions of one transactional.id for one consumer. Errors: Fenced, FatalClient."""

    def __init__(
        self, broker: Broker, transactional_id: str, consumer: Consumer, clock: Clock, transaction_timeout: float = 10.0
    ) -> None:
        """`transaction_timeout`: seconds after which the broker itself ends a transaction."""
        self._broker, self._id, self._transaction_timeout = broker, transactional_id, transaction_timeout
        self.reason = ""
        """Why the last transaction was not committed."""
        self._consumer, self._clock = consumer, clock
        self._producer: Producer | None = None

    def renew(self, timeout: float) -> None:
        """A new producer of the same id: fences the one before, and its transaction is over. Errors: Retriable."""
        self.close()
        producer = self._broker.producer(self._id)
        try:
            producer.init(timeout)
        except Exception:
            producer.close()
            raise
        self._producer = producer

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def commit(self, messages: Iterable[Message], offsets: Mapping[Partition, Commit], timeout: float) -> Ending:
        producer = self._producer
        if producer is None:
            raise ValueError("commit before renew")
        began = self._clock.monotonic()
        try:
            return self._commit(producer, messages, offsets, began + timeout)
        except Fenced as error:
            if self._clock.monotonic() - began < self._transaction_timeout:
                raise
            # Stopped in the middle for longer than a transaction may last: the broker ended it, nobody took the name.
            return self._ended(Ending.UNKNOWN, error)

    def _commit(
        self, producer: Producer, messages: Iterable[Message], offsets: Mapping[Partition, Commit], deadline: float
    ) -> Ending:
        self.reason = "no member of the group at this moment"
        if self._membership() is None:
            return Ending.ABORTED  # evicted, or not a member yet: the next poll mends it
        try:
            self._retried(producer.begin, deadline)
            for message in messages:
                self._retried(partial(producer.produce, message), deadline)
            group = self._membership()
            if group is None:
                return self._abort(producer, Ending.ABORTED, deadline)
            self._retried(lambda: producer.send_offsets(offsets, group, self._left(deadline)), deadline)
        except MetadataTooLarge as error:
            return self._abort(producer, self._ended(Ending.METADATA_REFUSED, error), deadline)
        except (AbortRequired, Retriable) as error:
            return self._abort(producer, self._ended(Ending.ABORTED, error), deadline)
        except OutcomeUnknown as error:
            return self._ended(Ending.UNKNOWN, error)
        return self._finish(producer, deadline)

    def _finish(self, producer: Producer, deadline: float) -> Ending:
        try:
            self._retried(lambda: producer.commit(self._left(deadline)), deadline)
        except AbortRequired as error:
            return self._abort(producer, self._ended(Ending.ABORTED, error), deadline)
        except (OutcomeUnknown, Retriable) as error:
            return self._ended(Ending.UNKNOWN, error)
        return Ending.COMMITTED

    def _abort(self, producer: Producer, ending: Ending, deadline: float) -> Ending:
        """Only after a *successful* abort is it certain that nothing was committed: it gets time of its own."""
        deadline = max(deadline, self._clock.monotonic() + _ABORT_PATIENCE)
        try:
            self._retried(lambda: producer.abort(self._left(deadline)), deadline)
        except (AbortRequired, OutcomeUnknown, Retriable) as error:
            return self._ended(Ending.UNKNOWN, error)
        return ending

    def _ended(self, ending: Ending, error: Exception) -> Ending:
        self.reason = str(error)
        return ending

    def _membership(self) -> GroupMetadata | None:
        """Proof of membership that was not empty when it was read.

        The broker takes empty group metadata without any check, and the client's background thread may empty it at any
        moment: so the member id is read on both sides of it.
        """
        before = self._consumer.member_id()
        metadata = self._consumer.group_metadata()
        after = self._consumer.member_id()
        return metadata if before and before == after else None

    def _retried(self, call: Callable[[], None], deadline: float) -> None:
        while True:
            try:
                return call()
            except Retriable:
                if self._clock.monotonic() >= deadline:
                    raise
                self._clock.sleep(_PAUSE)

    def _left(self, deadline: float) -> float:
        return max(0.1, deadline - self._clock.monotonic())
