from __future__ import annotations

import confluent_kafka
import pytest

from streamer.clock import ManualClock
from streamer.errors import BrokerUnreachable, ConfigurationError, FatalClient
from streamer.kafka import confluent_config as configs
from streamer.kafka.base import Message
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import Log, logger
from streamer.settings import Kafka


class _Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def _keep(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    debug = info = warning = error = _keep

    def bind(self, **fields: object) -> Log:
        return self


NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enable.auto.commit", True),
        ("auto.commit.enable", True),
        ("isolation.level", "read_uncommitted"),
        ("enable.idempotence", False),
        ("acks", 1),
        ("request.required.acks", 1),
        ("transactional.id", "mine"),
        ("group.id", "mine"),
        ("bootstrap.servers", "elsewhere:9092"),
        ("metadata.broker.list", "elsewhere:9092"),
        ("auto.offset.reset", "latest"),
        ("partition.assignment.strategy", "range"),
        ("error_cb", "x"),
        ("logger", "x"),
    ],
)
def test_what_the_promise_rests_on_may_not_be_set(name: str, value: object) -> None:
    kafka = Kafka.model_validate({"properties": {name: value}})
    with pytest.raises(ConfigurationError) as caught:
        ConfluentBroker(kafka, logger("error"))
    assert f"kafka.properties.{name}" in caught.value.problems[0]


def test_all_refused_properties_are_listed_at_once() -> None:
    kafka = Kafka(properties={"acks": 0, "group.id": "x"}, protocol="consumer", static_membership=True)
    with pytest.raises(ConfigurationError) as caught:
        ConfluentBroker(kafka, logger("error"))
    assert len(caught.value.problems) == 3


def test_an_unknown_property_is_named() -> None:
    broker = ConfluentBroker(Kafka(properties={"no.such.thing": 1}), logger("error"))
    for make in (lambda: broker.consumer("g", "i"), lambda: broker.producer("t"), broker.publisher, broker.admin):
        with pytest.raises(ConfigurationError, match=r"no\.such\.thing"):
            make()


def test_the_users_properties_win() -> None:
    kafka = Kafka(properties={"fetch.max.bytes": 5_000_000, "linger.ms": 50, "message.max.bytes": 9_999_999})
    assert configs.consumer(kafka, "g", "i")["fetch.max.bytes"] == 5_000_000
    assert configs.publisher(kafka, 1.0)["linger.ms"] == 50
    assert configs.producer(kafka, "t")["message.max.bytes"] == 9_999_999


def test_membership_follows_the_protocol() -> None:
    classic = configs.consumer(Kafka(session_timeout=2.0), "g", "i")
    assert classic["partition.assignment.strategy"] == "cooperative-sticky"
    assert classic["session.timeout.ms"] == 2_000
    assert classic["heartbeat.interval.ms"] < 1_000
    assert "group.instance.id" not in classic
    assert configs.consumer(Kafka(static_membership=True), "g", "i")["group.instance.id"] == "i"
    new = configs.consumer(Kafka(protocol="consumer"), "g", "i")
    assert new["group.protocol"] == "consumer"
    assert not new.keys() & {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}


def test_only_a_single_broker_is_never_given_up() -> None:
    assert "metadata.recovery.strategy" not in configs.common(Kafka())
    assert configs.common(Kafka(single_broker=True))["metadata.recovery.strategy"] == "none"


def test_a_failure_with_the_largest_original_fits_the_producer() -> None:
    kafka = Kafka(max_failed_bytes=20_000_000)
    assert configs.producer(kafka, "t")["message.max.bytes"] > 20_000_000


def test_librdkafka_writes_to_our_log_and_not_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    lines = _Lines()
    broker = ConfluentBroker(Kafka(bootstrap_servers=NOWHERE), lines)
    with pytest.raises(BrokerUnreachable):
        broker.admin().cluster_id(0.5)
    publisher = broker.publisher()
    for _ in range(100):
        if lines.lines:
            break
        publisher.poll(0.1)
    publisher.close()
    assert any("Connection refused" in str(fields["line"]) for _, fields in lines.lines)
    assert capfd.readouterr().err == ""


REFUSED = "[thrd:{0}/1]: {0}/1: Connect to ipv4#{0} failed: Connection refused (after {1}ms in state CONNECT)"


def test_what_librdkafka_repeats_is_written_twice_a_minute_with_how_much_was_left_out() -> None:
    lines, clock = _Lines(), ManualClock()
    log = configs.LibrdkafkaLog(lines, clock.monotonic)

    def say(facility: str, line: str) -> None:
        log.log(40, "%s [%s] %s", facility, "client", line)

    for elapsed in range(10):
        say("FAIL", REFUSED.format("10.0.0.1:9092", elapsed))
    say("ERROR", REFUSED.format("10.0.0.1:9092", 0))
    for address in ("10.0.0.1:9093", "10.0.0.2:9092", "[::1]:9092", "[::2]:9092", "kafka-1:9092", "kafka-2:9092"):
        say("FAIL", REFUSED.format(address, 0))
    assert len(lines.lines) == 8
    assert not any("left_out" in fields for _, fields in lines.lines)
    clock.advance(30.0)
    for elapsed in (30_000, 30_001):
        say("FAIL", REFUSED.format("10.0.0.1:9092", elapsed))
    line = REFUSED.format("10.0.0.1:9092", 30_000)
    assert [fields for _, fields in lines.lines[8:]] == [
        {"facility": "FAIL", "client": "client", "line": line, "left_out": 9}
    ]
    clock.advance(30.0)
    say("FAIL", line)
    assert lines.lines[-1][1]["left_out"] == 1


def test_kinds_of_lines_without_end_do_not_fill_the_memory() -> None:
    lines = _Lines()
    log = configs.LibrdkafkaLog(lines, ManualClock().monotonic)
    for number in range(1_000):
        log.log(40, "%s [%s] %s", "FAIL", "client", f"kafka-{number}:9092 is down")
    assert len(lines.lines) == 1_000
    assert len(log._told) <= 256


def test_what_was_asked_to_be_seen_is_never_left_out() -> None:
    """kafka.properties.debug"""
    lines = _Lines()
    log = configs.LibrdkafkaLog(lines, ManualClock().monotonic)
    for _ in range(3):
        log.log(10, "%s [%s] %s", "SEND", "client", "Sent MetadataRequest")
    assert len(lines.lines) == 3


def test_a_message_that_finds_no_broker_is_told_to_its_sender() -> None:
    broker = ConfluentBroker(Kafka(bootstrap_servers=NOWHERE), _Lines(), message_timeout=0.3)
    publisher = broker.publisher()
    told: list[Exception | None] = []
    publisher.publish(Message("topic", b"key", b"value"), told.append)
    assert publisher.flush(10.0) == 0
    assert len(told) == 1
    assert "_MSG_TIMED_OUT" in str(told[0])
    publisher.publish(Message("topic", b"key", b"value"), told.append)
    publisher.close()
    assert len(told) == 2
    assert told[1] is not None


def test_a_closed_producer_says_so() -> None:
    producer = ConfluentBroker(Kafka(bootstrap_servers=NOWHERE), _Lines()).producer("t")
    producer.close()
    with pytest.raises(FatalClient, match="closed"):
        producer.begin()


def test_every_client_is_made_with_the_defaults() -> None:
    kafka = Kafka(bootstrap_servers=NOWHERE)
    for config in (configs.consumer(kafka, "g", "i"), configs.reader(kafka)):
        configs.make(confluent_kafka.Consumer, config, _Lines()).close()


def test_a_message_limit_below_a_failure_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"message\.max\.bytes: 1000 is below kafka\.max_failed_bytes"):
        configs.check(Kafka(properties={"message.max.bytes": 1000}))
