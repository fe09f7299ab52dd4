"""Kafka behind confluent-kafka: makes the clients of one cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import confluent_kafka
from confluent_kafka.admin import AdminClient

from streamer.kafka import confluent_config as configs
from streamer.kafka.base import Admin, Consumer, Partition, Producer, Publisher, Reader
from streamer.kafka.confluent_admin import ConfluentAdmin
from streamer.kafka.confluent_consumer import ConfluentConsumer
from streamer.kafka.confluent_errors import reached
from streamer.kafka.confluent_producer import ConfluentProducer, ConfluentPublisher
from streamer.kafka.confluent_reader import ConfluentReader, whole
from streamer.observe.logs import Log
from streamer.settings import Kafka


class ConfluentBroker:
    """See kafka.base.Broker. `log` takes librdkafka's lines; `message_timeout` is how many seconds a publisher tries.

    Errors: ConfigurationError for properties that may not be set, here; for unknown ones, when a client is made.
    """

    def __init__(self, kafka: Kafka, log: Log, message_timeout: float = 30.0, timeout: float = 10.0) -> None:
        configs.check(kafka)
        self._kafka, self._log = kafka, log
        self._message_timeout, self._timeout = message_timeout, timeout

    def consumer(self, group: str, instance: str) -> Consumer:
        config = configs.consumer(self._kafka, group, instance)
        return ConfluentConsumer(configs.make(confluent_kafka.Consumer, config, self._log), self._log)

    def producer(self, transactional_id: str) -> Producer:
        config = configs.producer(self._kafka, transactional_id)
        return ConfluentProducer(configs.make(confluent_kafka.Producer, config, self._log))

    def publisher(self) -> Publisher:
        config = configs.publisher(self._kafka, self._message_timeout)
        return ConfluentPublisher(configs.make(confluent_kafka.Producer, config, self._log))

    def reader(self, topics: Sequence[str], from_beginning: bool) -> Reader:
        """Errors: ConfigurationError where a topic does not exist; BrokerUnreachable or Retriable without answer."""
        return self._reader(lambda client: whole(client, topics, from_beginning, self._timeout))

    def reader_from(self, positions: Mapping[Partition, int]) -> Reader:
        """Errors: BrokerUnreachable or Retriable without answer."""
        return self._reader(lambda client: positions)

    def _reader(self, beginning: Callable[[confluent_kafka.Consumer], Mapping[Partition, int]]) -> Reader:
        client = configs.make(confluent_kafka.Consumer, configs.reader(self._kafka), self._log)
        try:
            with reached(self._kafka.bootstrap_servers):
                return ConfluentReader(client, self._log, beginning(client), self._timeout)
        except BaseException:
            client.close()
            raise

    def admin(self) -> Admin:
        def asker(group: str) -> confluent_kafka.Consumer:
            return configs.make(confluent_kafka.Consumer, configs.reader(self._kafka, group), self._log)

        client = configs.make(AdminClient, configs.admin(self._kafka), self._log)
        return ConfluentAdmin(client, asker, self._kafka.bootstrap_servers)
