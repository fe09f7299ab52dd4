"""The worlds of the contract: the twin in memory, and a real Kafka with both group protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.clock import ManualClock
from streamer.kafka.base import Broker, Partition, Producer
from streamer.kafka.confluent import ConfluentBroker
from streamer.kafka.confluent_producer import ConfluentProducer
from streamer.kafka.memory import MemoryCluster
from streamer.observe.logs import logger
from streamer.settings import Kafka
from tests.conftest import Cluster
from tests.kafka.contract import TIMEOUT, World


def _confluent(cluster: Cluster, protocol: str, **properties: int) -> Broker:
    kafka = Kafka(
        bootstrap_servers=cluster.servers,
        protocol="consumer" if protocol == "consumer" else "classic",
        session_timeout=cluster.shortest_session,
        single_broker=True,
        properties=dict(properties),
    )
    return ConfluentBroker(kafka, logger("error"))


def _truncating(servers: str) -> Callable[[Partition, int], None]:
    def truncate(partition: Partition, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": servers})
        (future,) = admin.delete_records([TopicPartition(partition.topic, partition.number, offset)]).values()
        future.result(TIMEOUT)

    return truncate


def _settle(producer: Producer) -> None:
    if isinstance(producer, ConfluentProducer):
        producer._client.flush(TIMEOUT)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("classic", marks=pytest.mark.broker),
        pytest.param("consumer", marks=pytest.mark.broker),
    ]
)
def world(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> Iterator[World]:
    if request.param == "memory":
        memory = MemoryCluster(ManualClock())
        broker = impatient = memory.broker()
        truncate = lambda partition, offset: setattr(memory.log(partition), "low", offset)  # noqa: E731
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        broker = _confluent(cluster, request.param)
        interval = {"max.poll.interval.ms": int(cluster.shortest_session * 1000) + 500}
        impatient = _confluent(cluster, request.param, **interval)
        truncate = _truncating(cluster.servers)
    world = World(broker, impatient, unique, _settle, truncate)
    yield world
    world.close()
