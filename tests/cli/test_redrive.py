from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.identity import Identity, Owner, fingerprint
from streamer.kafka.base import Message
from streamer.records import FOLLOWS, ORIGIN, Header, Original, Position, SpeechFailed, SpeechRequest
from streamer.settings import Store as StoreChoice
from streamer.store.opening import open_store
from streamer.store.verdicts import Failed, Verdict, Verdicts
from streamer.wire import avro
from tests.cli.conftest import Deployment
from tests.cli.processes import complaints, run, started
from tests.cli.test_bridge import away
from tests.cli.test_failed import written
from tests.faults.cluster import drained, until

TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
NOON = 1_795_000_000_000
"""2026-11-18 11:06:40 UTC."""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give --all, or any of --code, --id and --since"),
        (("--yes",), "give --all, or any of --code, --id and --since"),
        (("--all", "--code", "expired"), "--all takes no --code, --id or --since"),
        (("--code", "unheard_of"), "--code"),
        (("--code", "id_conflict"), "never redriven; a new id helps"),
        (("--code", "expired", "--code", "deleted"), "--code deleted: deleted, and never redriven"),
        (("--all", "--source", "shop"), "--source belongs to --id"),
        (("--since", "yesterday"), "'yesterday' is neither 30s, 15m"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], says: str) -> None:
    done = run("redrive", *arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert done.stdout == b""


def test_a_kafka_that_is_away_is_named() -> None:
    with away() as servers:
        done = run("redrive", "--all", variables={"KAFKA__BOOTSTRAP_SERVERS": servers})
    assert (done.returncode, done.stdout) == (1, b"")
    [line] = complaints(done.stderr)
    assert line.startswith(f"{servers} does not answer (")


def failed(id_: str, code: str = "template_error", offset: int = 0, size: int = 0, at: int = NOON) -> SpeechFailed:
    """`size`: of a value that was cut."""
    value = avro.requests().encode(SpeechRequest(source="shop", id=id_, text="hello"))
    return SpeechFailed(
        source="shop",
        id=id_,
        position=Position(topic="", partition=2, offset=offset),
        code=code,
        message="why",
        original=Original(
            key=b"key",
            value=value[:5] if size else value,
            headers=[Header(name=TRACE[0], value=TRACE[1])],
            truncated=bool(size),
            size=size or len(value),
        ),
        failed_at=at,
    )


class Failures:
    """A deployment with failures and their verdicts, made by hand."""

    def __init__(self, deployment: Deployment, unique: Callable[[str], str]) -> None:
        self.deployment, self.unique = deployment, unique
        assert run("topics", variables=deployment.variables).returncode == 0

    def add(self, *failures: SpeechFailed) -> None:
        verdicts = Verdicts(open_store(self.deployment_store()))
        topic = self.deployment.kafka.topics.requests
        found = self.deployment.broker.admin().topics([topic], 30.0)[topic]
        assert found is not None
        values = []
        for failure in failures:
            position = msgspec.structs.replace(failure.position, topic=topic)
            values.append(avro.failed().encode(msgspec.structs.replace(failure, position=position)))
            verdicts.settle(
                Verdict(
                    identity=Identity(failure.source, failure.id),
                    generation=1,
                    owner=Owner(cluster="c", topic=str(found.id), partition=2, offset=position.offset),
                    fingerprint=fingerprint(SpeechRequest(source="shop", id=failure.id, text="hello")),
                    state=Failed(code=failure.code, message="why"),
                    decided_at=failure.failed_at,
                )
            )
        written(self.deployment, self.unique, *values)

    def deployment_store(self) -> StoreChoice:
        return StoreChoice(url=self.deployment.store.as_uri())

    def redrive(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run("redrive", *arguments, variables=self.deployment.variables)

    def sent(self) -> list[tuple[bytes | None, int, tuple[tuple[str, bytes | None], ...]]]:
        reader = self.deployment.broker.reader([self.deployment.kafka.topics.requests], from_beginning=True)
        try:
            return [(record.value, record.partition.number, record.headers) for record in drained(reader)]
        finally:
            reader.close()


@pytest.fixture
def failures(deployment: Deployment, unique: Callable[[str], str]) -> Failures:
    return Failures(deployment, unique)


@pytest.mark.broker
def test_a_store_that_was_never_initialised_is_refused(deployment: Deployment) -> None:
    done = run("redrive", "--all", variables=deployment.variables)
    assert done.returncode == 2
    assert "streamer topics" in complaints(done.stderr)[0]


@pytest.mark.broker
def test_where_nothing_failed_nothing_is_sent(failures: Failures) -> None:
    topic = failures.deployment.kafka.topics.failed
    for arguments in (("--all",), ("--all", "--yes"), ("--id", "a", "--source", "shop")):
        done = failures.redrive(*arguments)
        assert (done.returncode, done.stdout) == (0, b"")
        said = ["0 sent" if "--yes" in arguments else "nothing to send", f"no failure on {topic} matches"]
        assert complaints(done.stderr) == said


@pytest.mark.broker
def test_a_dry_run_first_and_then_in_earnest(failures: Failures) -> None:
    failures.add(*(failed(f"a{n}", offset=n) for n in range(600)), failed("late", "expired", 600, at=NOON + 1))
    written(failures.deployment, failures.unique, b"garbage")
    topic = failures.deployment.kafka.topics.failed
    dry = failures.redrive("--all")
    assert dry.returncode == 0
    kind, left = dry.stdout.decode().splitlines()
    assert kind.startswith("template_error: 600 to send, first shop/a")
    assert left == (
        "expired: 1 left (a redrive alone does not help; name it with --code or --id to send it all the same), "
        "first shop/late"
    )
    garbage, nothing = complaints(dry.stderr)
    assert garbage.startswith(f"1 entries of {topic} are no failures; first: {topic}[0] offset ")
    assert nothing == "nothing was sent; --yes sends 600"
    assert failures.sent() == []

    done = failures.redrive("--all", "--yes")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0].startswith("template_error: 600 sent, first shop/a")
    assert complaints(done.stderr)[-1] == "600 sent"
    sent = failures.sent()
    assert {value for value, _, _ in sent} == {failed(f"a{n}").original.value for n in range(600)}
    assert len(sent) == 600
    assert {partition for _, partition, _ in sent} == {2}
    assert {headers for _, _, headers in sent} == {
        (TRACE, (FOLLOWS, b"1"), (ORIGIN, f"2/{n}".encode())) for n in range(600)
    }


@pytest.mark.broker
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--code", "expired"), ["expired: 1 to send, first shop/late"]),
        (("--id", "late"), ["expired: 1 to send, first shop/late"]),
        (("--id", "late", "--source", "other"), []),
        (("--code", "voice_unknown", "--code", "template_error"), ["template_error: 1 to send, first shop/a"]),
        (("--since", "2026-11-18T12:00:00Z", "--code", "expired"), ["expired: 1 to send, first shop/late"]),
        (("--since", "2026-11-18T12:00:00Z", "--code", "template_error"), []),
    ],
)
def test_what_is_asked_for(failures: Failures, arguments: tuple[str, ...], says: list[str]) -> None:
    failures.add(failed("a"), failed("late", "expired", 1, at=NOON + 3_600_000))
    done = failures.redrive(*arguments)
    assert (done.returncode, done.stdout.decode().splitlines()) == (0, says)


@pytest.mark.broker
def test_one_that_was_cut_is_read_at_its_position_until_retention_deletes_it(failures: Failures) -> None:
    deployment = failures.deployment
    requests = deployment.kafka.topics.requests
    value = failed("cut").original.value or b""
    publisher = deployment.broker.publisher()
    publisher.publish(Message(requests, b"key", value, (TRACE,), partition=2), lambda _: None)
    assert publisher.flush(30.0) == 0
    publisher.close()
    failures.add(failed("cut", size=len(value)))
    dry = failures.redrive("--all")
    assert (dry.returncode, dry.stdout) == (0, b"template_error: 1 to send, first shop/cut\n")
    assert failures.redrive("--all", "--yes").returncode == 0
    assert failures.sent() == [(value, 2, (TRACE,)), (value, 2, (TRACE, (FOLLOWS, b"1"), (ORIGIN, b"2/0")))]

    admin = AdminClient({"bootstrap.servers": deployment.kafka.bootstrap_servers})
    [deleted] = admin.delete_records([TopicPartition(requests, 2, 1)]).values()
    deleted.result(30)
    told = "template_error: 1 lost (too large for its failure to carry, and no longer on the topic of requests)"
    for arguments, status in ((("--all",), 0), (("--all", "--yes"), 1)):
        gone = failures.redrive(*arguments)
        assert gone.returncode == status
        assert gone.stdout.decode().startswith(told)
    assert len(failures.sent()) == 1


@pytest.mark.broker
def test_ctrl_c_says_how_many_were_sent(failures: Failures) -> None:
    failures.add(*(failed(f"a{n}", offset=n) for n in range(6_000)))
    with started("redrive", "--all", "--yes", variables=failures.deployment.variables) as process:
        requests = failures.deployment.kafka.topics.requests
        reader = failures.deployment.broker.reader([requests], from_beginning=True)
        until(lambda: reader.poll(1, 0.05), "the first one is sent")
        reader.close()
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    counted, advice = complaints(complained)[-2:]
    sent = len(failures.sent())
    assert 0 < sent < 6_000
    assert counted == f"{sent} sent"
    assert said.decode().startswith(f"template_error: {sent} sent, first shop/a")
    assert "run it again: what was sent is not redriven twice" in advice
