from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.kafka import topology
from streamer.kafka.base import Broker
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.settings import Kafka, Topics


class Deployment:
    """Topics of the test's own on a real broker, and the settings that name them."""

    def __init__(self, servers: str, topics: Topics, folder: Path) -> None:
        self.kafka = Kafka(bootstrap_servers=servers, topics=topics, single_broker=True)
        self.store = folder / "store"
        self.broker: Broker = ConfluentBroker(self.kafka, logger("error"))
        topology.ensure(self.broker.admin(), self.kafka, 30.0)

    @property
    def variables(self) -> dict[str, str]:
        """For the environment, less the prefix STREAMER_."""
        topics = self.kafka.topics
        return {
            "KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "KAFKA__TOPICS__REQUESTS": topics.requests,
            "KAFKA__TOPICS__COMPLETED": topics.completed,
            "KAFKA__TOPICS__FAILED": topics.failed,
            "KAFKA__TOPICS__REPLAYED": topics.replayed,
            "STORE__URL": self.store.as_uri(),
        }


@pytest.fixture
def deployment(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> Deployment:
    topics = Topics(**{name: unique(name) for name in ("requests", "completed", "failed", "replayed")})
    return Deployment(kafka, topics, tmp_path)
