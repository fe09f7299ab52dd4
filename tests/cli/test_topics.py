from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.kafka.base import Partition
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.settings import Kafka
from streamer.store.disk import DiskStore
from streamer.store.groups import Groups
from tests.cli.processes import complaints, run


class Fresh:
    """Names that no topic has yet."""

    def __init__(self, servers: str, unique: Callable[[str], str], folder: Path) -> None:
        self.names = {name: unique(name) for name in ("requests", "completed", "failed", "replayed")}
        self.group = unique("group")
        self.store = folder / "store"
        self.admin = ConfluentBroker(Kafka(bootstrap_servers=servers), logger("error")).admin()
        self.variables = {
            "KAFKA__BOOTSTRAP_SERVERS": servers,
            "KAFKA__GROUP": self.group,
            "STORE__URL": self.store.as_uri(),
            **{f"KAFKA__TOPICS__{name.upper()}": topic for name, topic in self.names.items()},
        }

    def partitions(self, count: int) -> list[Partition]:
        return [Partition(self.names["requests"], number) for number in range(count)]


@pytest.fixture
def fresh(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> Fresh:
    return Fresh(kafka, unique, tmp_path)


@pytest.mark.broker
def test_it_makes_topics_and_start_once(fresh: Fresh) -> None:
    done = run("topics", variables=fresh.variables | {"KAFKA__RETENTION_HOURS": "24"})
    assert done.returncode == 0
    topics = fresh.admin.topics(list(fresh.names.values()), 10.0)
    assert {topic.partitions for topic in topics.values() if topic} == {3}
    assert {topic.config["retention.ms"] for topic in topics.values() if topic} == {str(24 * 3_600_000)}
    failed = topics[fresh.names["failed"]]
    assert failed is not None
    assert failed.config["max.message.bytes"] == "8388608"
    lines = done.stdout.decode().splitlines()
    starts = [f"{partition}: group {fresh.group} starts at offset 0" for partition in fresh.partitions(3)]
    assert lines[:-1] == starts
    assert lines[-1].endswith(f"are ready for group {fresh.group}")
    store = DiskStore(fresh.store)
    identity = Groups(store).store_id()
    commits = fresh.admin.commits(fresh.group, fresh.partitions(3), 10.0)
    again = run("topics", variables=fresh.variables | {"KAFKA__RETENTION_HOURS": "24"})
    assert (again.returncode, again.stdout.decode().splitlines()) == (0, lines[-1:])
    assert Groups(store).store_id() == identity
    assert fresh.admin.commits(fresh.group, fresh.partitions(3), 10.0) == commits
    assert None not in commits.values()
    store.close()


@pytest.mark.broker
def test_what_is_wrong_with_a_topic_is_told_and_it_is_left_alone(fresh: Fresh) -> None:
    fresh.admin.create_topic(fresh.names["requests"], 1, 1, {"cleanup.policy": "compact"}, 10.0)
    done = run("topics", variables=fresh.variables)
    assert done.returncode == 2
    told = "\n".join(complaints(done.stderr))
    assert f"error: topic {fresh.names['requests']}: partitions is 1" in told
    assert f"error: topic {fresh.names['requests']}: cleanup.policy is compact" in told
    topic = fresh.admin.topics([fresh.names["requests"]], 10.0)[fresh.names["requests"]]
    assert topic is not None
    assert (topic.partitions, topic.config["cleanup.policy"]) == (1, "compact")


@pytest.mark.broker
def test_a_store_that_is_not_the_groups_is_told_and_gets_nothing(fresh: Fresh, tmp_path: Path) -> None:
    assert run("topics", variables=fresh.variables).returncode == 0
    other = tmp_path / "other"
    done = run("topics", variables=fresh.variables | {"STORE__URL": other.as_uri()})
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{other.as_uri()} has no id: set store.url to the workers' one" in complaints(done.stderr)[-1]
    store = DiskStore(other)
    assert list(store.list("")) == []
    store.close()


def test_without_kafka_it_fails(tmp_path: Path) -> None:
    variables = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "STORE__URL": (tmp_path / "store").as_uri()}
    done = run("topics", variables=variables)
    assert done.returncode == 1
    [line] = complaints(done.stderr)
    assert line.startswith("127.0.0.1:1 does not answer (")
    assert "set kafka.bootstrap_servers" in line
    assert not (tmp_path / "store").exists()
