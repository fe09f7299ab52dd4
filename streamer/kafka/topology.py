"""The topics: makes those that are missing, and judges those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from streamer.kafka.base import Admin, Topic
from streamer.settings import Kafka

_HOUR = 3_600_000


class Finding(NamedTuple):
    """What is wrong with a topic. An `error` breaks the promise or the work, a `warning` weakens it."""

    severity: Literal["error", "warning"]
    topic: str
    key: str
    """The topic's own setting, or `partitions`, or `replication`."""
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: topic {self.topic}: {self.key} is {self.value}: {self.remedy}"


def ensure(admin: Admin, kafka: Kafka, timeout: float) -> list[Finding]:
    """Create what is missing as the settings say, and check everything. Errors: those of `Admin`."""
    names = kafka.topics
    wanted = {
        names.requests: {"max.message.bytes": str(kafka.max_request_bytes)},
        names.completed: {"max.message.bytes": str(max(kafka.max_request_bytes, 1_048_588))},
        names.replayed: {"max.message.bytes": str(max(kafka.max_request_bytes, 1_048_588))},
        names.failed: {"max.message.bytes": str(kafka.max_failed_bytes)},
    }
    for name, found in admin.topics(list(wanted), timeout).items():
        if found is None:
            config = {"retention.ms": str(kafka.retention_hours * _HOUR), "cleanup.policy": "delete"} | wanted[name]
            if kafka.replication >= 3:
                config["min.insync.replicas"] = "2"
            admin.create_topic(name, kafka.partitions, kafka.replication, config, timeout)
    topics = admin.topics(list(wanted), timeout)
    return [finding for topic in topics.values() if topic is not None for finding in check(topic, kafka)]


def check(topic: Topic, kafka: Kafka) -> list[Finding]:
    """All that is wrong with one topic."""
    return [*_partitions(topic, kafka), *_replication(topic, kafka), *_cleanup(topic, kafka), *_size(topic, kafka)]


def _partitions(topic: Topic, kafka: Kafka) -> Iterator[Finding]:
    if topic.partitions < kafka.partitions:
        yield Finding(
            "error" if topic.name == kafka.topics.requests else "warning",
            topic.name,
            "partitions",
            str(topic.partitions),
            f"kafka.partitions asks for {kafka.partitions}; add some with kafka-topics --alter and run "
            "`streamer topics` again, or lower the key",
        )


def _replication(topic: Topic, kafka: Kafka) -> Iterator[Finding]:
    def finding(severity: Literal["error", "warning"], key: str, value: int, remedy: str) -> Finding:
        return Finding(severity, topic.name, key, str(value), remedy)

    replication, in_sync = topic.replication, int(topic.config.get("min.insync.replicas", "1"))
    if replication < kafka.replication:
        remedy = f"kafka.replication asks for {kafka.replication}; reassign its replicas, or lower the key"
        yield finding("error", "replication", replication, remedy)
    if in_sync > replication:
        yield finding(
            "error", "min.insync.replicas", in_sync, f"there are {replication} replicas: nobody can write; lower it"
        )
    elif replication == 1:
        remedy = (
            "what the broker acknowledged is lost with its disk, and the promise with it: not for production, "
            "where replication is 3 and min.insync.replicas 2"
        )
        yield finding("warning", "replication", replication, remedy)
    elif in_sync < 2:
        remedy = "what one broker alone acknowledged is lost with it; set it to 2 with kafka-configs"
        yield finding("error" if replication >= 3 else "warning", "min.insync.replicas", in_sync, remedy)


def _cleanup(topic: Topic, kafka: Kafka) -> Iterator[Finding]:
    policy = topic.config.get("cleanup.policy", "delete")
    if "compact" in policy:
        remedy = "compaction removes records of repeated keys; set it to delete with kafka-configs"
        yield Finding("error", topic.name, "cleanup.policy", policy, remedy)
    retention = int(topic.config.get("retention.ms", "-1"))
    if 0 <= retention < kafka.retention_hours * _HOUR:
        remedy = (
            f"kafka.retention_hours asks for {kafka.retention_hours * _HOUR}; what no one has read by then is lost; "
            "raise it with kafka-configs, or lower the key"
        )
        yield Finding("warning", topic.name, "retention.ms", str(retention), remedy)
    size = int(topic.config.get("retention.bytes", "-1"))
    if size >= 0:
        remedy = "records may be deleted before they were read, however young; set it to -1 with kafka-configs"
        yield Finding("warning", topic.name, "retention.bytes", str(size), remedy)


def _size(topic: Topic, kafka: Kafka) -> Iterator[Finding]:
    limit = int(topic.config.get("max.message.bytes", "1048588"))
    if topic.name == kafka.topics.failed and limit < kafka.max_failed_bytes:
        remedy = (
            f"kafka.max_failed_bytes says {kafka.max_failed_bytes}; a failure with a large original would never be "
            "taken, and its partition stand still; raise it with kafka-configs"
        )
        yield Finding("error", topic.name, "max.message.bytes", str(limit), remedy)
    if topic.name in (kafka.topics.completed, kafka.topics.replayed) and limit < kafka.max_request_bytes:
        remedy = (
            f"kafka.max_request_bytes says {kafka.max_request_bytes}; a result that repeats its request's text and "
            "metadata may never be taken, and its partition stand still; raise it with kafka-configs"
        )
        yield Finding("error", topic.name, "max.message.bytes", str(limit), remedy)
    if topic.name == kafka.topics.requests and limit != kafka.max_request_bytes:
        above = limit > kafka.max_request_bytes
        remedy = f"kafka.max_request_bytes says {kafka.max_request_bytes}; " + (
            "a larger original is cut on its way to the failure topic; make them equal"
            if above
            else "the broker refuses larger requests; make them equal"
        )
        yield Finding("warning", topic.name, "max.message.bytes", str(limit), remedy)
