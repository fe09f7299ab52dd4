"""The producers on confluent-kafka: the transactional one of the worker, and the idempotent one of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streamer.errors import AbortRequired, BrokerError, FatalClient, OutcomeUnknown, Retriable
from streamer.kafka.base import Commit, Delivered, GroupMetadata, Message, Partition
from streamer.kafka.confluent_errors import meaning, translated

_ROOM_PATIENCE = 100
_ROOM_WAIT = 0.1
"""A full local queue is served up to 100 times 0.1 s before `produce` gives up."""


class ConfluentProducer:
    """See kafka.base.Producer. A message that could not be delivered shows as AbortRequired at `commit`."""

    def __init__(self, client: confluent_kafka.Producer) -> None:
        self._open: confluent_kafka.Producer | None = client

    @property
    def _client(self) -> confluent_kafka.Producer:
        if self._open is None:
            raise FatalClient("the producer was closed")
        return self._open

    def init(self, timeout: float) -> None:
        with translated(FatalClient):
            self._client.init_transactions(timeout)

    def begin(self) -> None:
        with translated(FatalClient):
            self._client.begin_transaction()

    def produce(self, message: Message) -> None:
        client = self._client
        for _ in range(_ROOM_PATIENCE):
            try:
                _produce(client, message)
                client.poll(0)
            except BufferError:
                client.poll(_ROOM_WAIT)
                continue
            except KafkaException as error:
                raise meaning(error.args[0], AbortRequired) from error
            return
        raise Retriable("the producer's queue stays full")

    def send_offsets(self, offsets: Mapping[Partition, Commit], group: GroupMetadata, timeout: float) -> None:
        with translated(AbortRequired):
            self._client.send_offsets_to_transaction(
                [TopicPartition(p.topic, p.number, c.offset, c.metadata) for p, c in offsets.items()], group, timeout
            )

    def commit(self, timeout: float) -> None:
        with translated(OutcomeUnknown):
            self._client.commit_transaction(timeout)

    def abort(self, timeout: float) -> None:
        with translated(OutcomeUnknown):
            self._client.abort_transaction(timeout)

    def close(self) -> None:
        """Drop the client. An open transaction stays open, until `init` of a successor ends it or it times out.

        confluent-kafka's own `close` would abort it, and could wait for a broker that is away.
        """
        self._open = None


class ConfluentPublisher:
    """See kafka.base.Publisher. `delivered` must not raise: `poll` would lose the other answers."""

    def __init__(self, client: confluent_kafka.Producer) -> None:
        self._client = client

    def publish(self, message: Message, delivered: Delivered) -> None:
        """Errors: Retriable when the local queue is full; BrokerError for a message that is too large."""
        try:
            _produce(self._client, message, _reporting(delivered))
        except BufferError as error:
            raise Retriable("the producer's queue is full") from error
        except KafkaException as error:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise BrokerError(f"message too large: {error.args[0].str()}") from error
            raise meaning(error.args[0], FatalClient) from error

    def poll(self, timeout: float) -> int:
        with translated(FatalClient):
            return self._client.poll(timeout)

    def flush(self, timeout: float) -> int:
        with translated(FatalClient):
            return self._client.flush(timeout)

    def close(self) -> None:
        """Give up what is still pending; its `delivered` is told so. `flush` first to wait for it."""
        self._client.purge()
        self.flush(1.0)


def _produce(client: confluent_kafka.Producer, message: Message, report: _Report | None = None) -> None:
    client.produce(
        message.topic,
        message.value,
        message.key,
        -1 if message.partition is None else message.partition,
        report,
        headers=list(message.headers) if message.headers else None,
    )


_Report = Callable[[KafkaError | None, "confluent_kafka.Message"], None]


def _reporting(delivered: Delivered) -> _Report:
    def report(error: KafkaError | None, _message: confluent_kafka.Message) -> None:
        delivered(None if error is None else BrokerError(f"{error.name()}: {error.str()}"))

    return report
