"""The worlds of the contract: the twin in memory, and a real Kafka with both group protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from streamer.clock import ManualClock
from streamer.kafka.base import Broker, Producer
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
        broker = impatient = MemoryCluster(ManualClock()).broker()
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        broker = _confluent(cluster, request.param)
        interval = {"max.poll.interval.ms": int(cluster.shortest_session * 1000) + 500}
        impatient = _confluent(cluster, request.param, **interval)
    world = World(broker, impatient, unique, _settle)
    yield world
    world.close()
