"""What each client of confluent-kafka is told: settings.Kafka as librdkafka properties."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import KafkaException

from streamer.errors import ConfigurationError
from streamer.observe.logs import Log
from streamer.settings import Kafka

_KEY = "use the key {} instead"
_RESERVED = {
    "bootstrap.servers": _KEY.format("kafka.bootstrap_servers"),
    "metadata.broker.list": _KEY.format("kafka.bootstrap_servers"),
    "group.id": _KEY.format("kafka.group"),
    "group.protocol": _KEY.format("kafka.protocol"),
    "group.instance.id": _KEY.format("kafka.static_membership"),
    "session.timeout.ms": _KEY.format("kafka.session_timeout"),
    "transaction.timeout.ms": _KEY.format("kafka.transaction_timeout"),
    "transactional.id": "it is made of the group and the instance, and must be known for fencing",
    "enable.auto.commit": "offsets are committed in the transaction with their results, never beside it",
    "auto.commit.enable": "offsets are committed in the transaction with their results, never beside it",
    "auto.offset.reset": "a worker without a committed offset must stop, not skip or repeat records",
    "isolation.level": "readers must not see results of aborted transactions",
    "enable.idempotence": "without it the broker may hold a record twice or out of order",
    "acks": "a request is accepted only when all in-sync replicas have it",
    "request.required.acks": "a request is accepted only when all in-sync replicas have it",
    "partition.assignment.strategy": "partitions are assigned cooperatively; streamer relies on it",
}
_PYTHON_ONLY = {"logger", "on_commit", "on_delivery", "partitioner_callback", "default.topic.config"}

LINGER_MS = 2
"""How long a request waits for others of its batch. librdkafka's own 5 ms halved what 64 waiting senders get through
(benchmarks.bridge); below 1 ms every request is a batch of its own."""

_QUIET = 30.0
"""Seconds between two warnings that say the same."""
_KINDS = 256
_COUNTS = re.compile(r"(?<![\w.:#-])\d+(?:(?=ms\b)|(?![\w:-]|\.\w))")
"""Durations and counts; not the numbers within an address or a name (127.0.0.1:9092, [::1]:9092, kafka-1)."""

_CLIENT = TypeVar("_CLIENT")


def check(kafka: Kafka) -> None:
    """Errors: ConfigurationError that lists every property which may not be set, and what does not go together."""
    properties = kafka.properties
    problems = [
        f"kafka.properties.{name}: may not be set: {_RESERVED[name]}" for name in properties if name in _RESERVED
    ]
    problems += [
        f"kafka.properties.{name}: no property of librdkafka; remove it"
        for name in properties
        if name in _PYTHON_ONLY or name.endswith("_cb")
    ]
    largest = str(properties.get("message.max.bytes", kafka.max_failed_bytes))
    if largest.isdecimal() and int(largest) < kafka.max_failed_bytes:
        problems.append(
            f"kafka.properties.message.max.bytes: {largest} is below kafka.max_failed_bytes, {kafka.max_failed_bytes}: "
            "a failure carries its whole original; raise it, or leave it out"
        )
    if kafka.static_membership and kafka.protocol == "consumer":
        problems.append(
            "kafka.static_membership: works with kafka.protocol = classic only; a restarted member is refused"
        )
    if problems:
        raise ConfigurationError(problems)


def make(client: Callable[..., _CLIENT], config: dict[str, Any], log: Log) -> _CLIENT:
    """A client. Errors: ConfigurationError with librdkafka's own words, which name the property."""
    try:
        return client({**config, "logger": LibrdkafkaLog(log, time.monotonic)})
    except (KafkaException, TypeError, ValueError) as error:
        told = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise ConfigurationError([f"kafka.properties: {told}; correct or remove it"]) from error


def common(kafka: Kafka) -> dict[str, Any]:
    """For every client, the user's own properties not yet among them."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": "streamer",
        # A broker that restarts is back within seconds; by default a client asks again after up to 10.
        "reconnect.backoff.max.ms": 2_000,
    }
    if kafka.single_broker:
        # Asking for another broker only delays the return to the one there is.
        config["metadata.recovery.strategy"] = "none"
    return config


def consumer(kafka: Kafka, group: str, instance: str) -> dict[str, Any]:
    config = common(kafka) | _reading(group) | {"auto.offset.reset": "error"}
    if kafka.protocol == "consumer":
        config["group.protocol"] = "consumer"
    else:
        session = _milliseconds(kafka.session_timeout)
        config |= {
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(1, min(3_000, session // 4)),
        }
        if kafka.static_membership:
            config["group.instance.id"] = instance
    return config | kafka.properties


def reader(kafka: Kafka, group: str | None = None) -> dict[str, Any]:
    # Assigned by hand, it joins no group and commits nothing; the id is one that the user has the right to, and the
    # session only has to go with the user's max.poll.interval.ms.
    own = {"auto.offset.reset": "earliest", "session.timeout.ms": _milliseconds(kafka.session_timeout)}
    return common(kafka) | _reading(group or kafka.group) | own | kafka.properties


def _reading(group: str) -> dict[str, Any]:
    return {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        # A pause throws the prefetch away: keep it small, and fill it again at once.
        "fetch.max.bytes": 1_048_576,
        "queued.max.messages.kbytes": 2_048,
        "fetch.queue.backoff.ms": 10,
        # Questions to the same broker wait behind a fetch under way: half a second by default.
        "fetch.wait.max.ms": 100,
    }


def producer(kafka: Kafka, transactional_id: str) -> dict[str, Any]:
    return (
        common(kafka)
        | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": _milliseconds(kafka.transaction_timeout),
            "message.max.bytes": _above(kafka.max_failed_bytes),
            "delivery.report.only.error": True,
        }
        | kafka.properties
    )


def publisher(kafka: Kafka, message_timeout: float) -> dict[str, Any]:
    return (
        common(kafka)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": LINGER_MS,
            "message.timeout.ms": _milliseconds(message_timeout),
            "message.max.bytes": _above(kafka.max_request_bytes),
        }
        | kafka.properties
    )


def admin(kafka: Kafka) -> dict[str, Any]:
    return common(kafka) | kafka.properties


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _above(limit: int) -> int:
    """A client's limit above the topic's, so that the broker decides; librdkafka counts other bytes than it does."""
    return min(limit + 65_536, 1_000_000_000)


class LibrdkafkaLog:
    """Takes librdkafka's log lines as a standard logger would. It heals its connections itself: no line is an error.

    While a broker is away it says the same of it at every attempt to connect: a warning that differs from an earlier
    one in numbers alone is written every 30 s, with `left_out`, how many were not since.
    """

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        self._log, self._monotonic = log, monotonic
        self._told: dict[tuple[str, str], _Told] = {}

    def log(self, level: int, form: str, facility: str, client: str, line: str, *rest: object) -> None:
        if level < logging.WARNING:
            self._log.debug("librdkafka", facility=facility, client=client, line=line)
            return
        kind, now = (facility, _COUNTS.sub("#", line)), self._monotonic()
        told = self._told.get(kind)
        if told is not None and now - told.at < _QUIET:
            self._told[kind] = told._replace(left_out=told.left_out + 1)
            return
        if told is None and len(self._told) == _KINDS:
            self._told.clear()  # repeats a line each; brokers that come and go must not fill the memory
        self._told[kind] = _Told(now, 0)
        counted = {"left_out": told.left_out} if told is not None and told.left_out else {}
        self._log.warning("librdkafka", facility=facility, client=client, line=line, **counted)


class _Told(NamedTuple):
    """When a line of a kind was written, and how many were not since."""

    at: float
    left_out: int
