from __future__ import annotations

import uuid

import pytest

from streamer.clock import ManualClock
from streamer.kafka.base import Topic
from streamer.kafka.memory import MemoryCluster
from streamer.kafka.topology import check, ensure
from streamer.settings import Kafka

GOOD = {"min.insync.replicas": "2", "retention.ms": str(168 * 3_600_000), "cleanup.policy": "delete"}


def _topic(
    name: str = "tts.completed", partitions: int = 3, replication: int = 3, config: dict[str, str] | None = None
) -> Topic:
    known = GOOD | (config or {})
    return Topic(name=name, id=uuid.UUID(int=1), partitions=partitions, replication=replication, config=known)


def _found(topic: Topic, kafka: Kafka | None = None) -> list[tuple[str, str, str]]:
    return [(f.severity, f.key, f.value) for f in check(topic, kafka or Kafka())]


def test_missing_topics_are_created_as_configured_and_only_once() -> None:
    admin = MemoryCluster(ManualClock()).broker().admin()
    kafka = Kafka(replication=3, partitions=5, retention_hours=2, max_failed_bytes=9_000_000)
    assert ensure(admin, kafka, 1.0) == []
    requests, completed, failed = admin.topics(["tts.requests", "tts.completed", "tts.failed"], 1.0).values()
    for topic in (requests, completed, failed):
        assert topic is not None
        assert (topic.partitions, topic.replication) == (5, 3)
        assert topic.config["retention.ms"] == "7200000"
        assert topic.config["min.insync.replicas"] == "2"
    assert requests is not None
    assert failed is not None
    assert requests.config["max.message.bytes"] == "1048588"
    assert failed.config["max.message.bytes"] == "9000000"
    assert ensure(admin, kafka, 1.0) == []


def test_one_replica_says_what_is_not_guaranteed() -> None:
    admin = MemoryCluster(ManualClock()).broker().admin()
    findings = ensure(admin, Kafka(), 1.0)
    assert {(f.severity, f.key) for f in findings} == {("warning", "replication")}
    assert {f.topic for f in findings} == set(Kafka().topics.model_dump().values())
    assert "lost with its disk" in str(findings[0])


def test_a_good_topic_is_left_alone() -> None:
    assert _found(_topic(), Kafka(replication=3)) == []


@pytest.mark.parametrize(("name", "severity"), [("tts.requests", "error"), ("tts.completed", "warning")])
def test_too_few_partitions(name: str, severity: str) -> None:
    assert _found(_topic(name, partitions=2, config={"max.message.bytes": "1048588"})) == [
        (severity, "partitions", "2")
    ]


@pytest.mark.parametrize(
    ("replication", "in_sync", "expected"),
    [
        (3, "1", [("error", "min.insync.replicas", "1")]),
        (2, "1", [("warning", "min.insync.replicas", "1")]),
        (2, "2", []),
        (2, "3", [("error", "min.insync.replicas", "3")]),
        (1, "1", [("warning", "replication", "1")]),
    ],
)
def test_replication(replication: int, in_sync: str, expected: list[tuple[str, str, str]]) -> None:
    assert _found(_topic(replication=replication, config={"min.insync.replicas": in_sync})) == expected


def test_less_replication_than_configured_is_an_error() -> None:
    assert ("error", "replication", "2") in _found(_topic(replication=2), Kafka(replication=3))


@pytest.mark.parametrize(
    ("key", "value", "severity"),
    [
        ("cleanup.policy", "compact", "error"),
        ("cleanup.policy", "compact,delete", "error"),
        ("retention.ms", "1000", "warning"),
        ("retention.bytes", "1000000", "warning"),
    ],
)
def test_what_deletes_records_too_early(key: str, value: str, severity: str) -> None:
    assert _found(_topic(config={key: value})) == [(severity, key, value)]


def test_endless_retention_is_fine() -> None:
    assert _found(_topic(config={"retention.ms": "-1"})) == []


def test_a_failure_topic_that_cannot_take_its_originals_is_an_error() -> None:
    assert _found(_topic("tts.failed", config={"max.message.bytes": "1048588"})) == [
        ("error", "max.message.bytes", "1048588")
    ]


@pytest.mark.parametrize("limit", ["100000", "5000000"])
def test_requests_larger_or_smaller_than_configured_are_told(limit: str) -> None:
    assert _found(_topic("tts.requests", config={"max.message.bytes": limit})) == [
        ("warning", "max.message.bytes", limit)
    ]
