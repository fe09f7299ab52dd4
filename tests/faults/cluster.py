"""A deployment of streamer as its users run it: commands as processes, configured by the environment alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from streamer.errors import BrokerError
from streamer.identity import Identity
from streamer.kafka.base import Admin, Commit, Consumer, Headers, Message, Partition, Publisher, Reader, Record
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.records import Result, SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.settings import Kafka, Topics
from streamer.settings import Store as StoreChoice
from streamer.store.base import Store
from streamer.store.opening import open_store
from streamer.wire import avro
from tests.cli.processes import environment
from tests.faults.workers import Worker

T = TypeVar("T")

_STREAMER = (sys.executable, "-m", "streamer")
PATIENCE = 120.0
"""Seconds for whatever ends by itself; a busy machine takes longer than one would think."""


def until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
    return value


class Read(NamedTuple):
    """One committed result, and the record that carried it."""

    result: Result
    record: Record


class Deployment:
    """Topics, a group and a store of one test's own. A context manager that ends what was started."""

    def __init__(self, servers: str, folder: Path, prefix: str = "", *, partitions: int = 3, **variables: str) -> None:
        """`variables`: settings as SECTION__KEY."""
        self.folder, self._given = folder, variables
        topics = Topics(**{name: f"{prefix}tts.{name}" for name in ("requests", "completed", "failed", "replayed")})
        self.kafka = Kafka(
            bootstrap_servers=servers,
            topics=topics,
            group=f"{prefix}streamer",
            partitions=partitions,
            single_broker=True,
        )
        self.broker = ConfluentBroker(self.kafka, logger("error"))
        self.store = folder / "store"
        self._stack = ExitStack()
        self._results: list[Read] = []
        self._runs = 0

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def variables(self) -> dict[str, str]:
        kafka = self.kafka
        own = {
            "KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA__GROUP": kafka.group,
            "KAFKA__PARTITIONS": str(kafka.partitions),
            "KAFKA__SINGLE_BROKER": "true",
            "KAFKA__TOPICS__REQUESTS": kafka.topics.requests,
            "KAFKA__TOPICS__COMPLETED": kafka.topics.completed,
            "KAFKA__TOPICS__FAILED": kafka.topics.failed,
            "KAFKA__TOPICS__REPLAYED": kafka.topics.replayed,
            "STORE__URL": self.store.as_uri(),
            "ENGINE__NAME": "tone",
        }
        return own | self._given

    @property
    def partitions(self) -> list[Partition]:
        return [Partition(self.kafka.topics.requests, number) for number in range(self.kafka.partitions)]

    def opened_store(self) -> Store:
        """Its store, as a reader of one's own."""
        variables = self.variables
        return open_store(StoreChoice(url=variables["STORE__URL"], endpoint=variables.get("STORE__ENDPOINT", "")))

    # Commands

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            [*_STREAMER, *arguments],
            env=environment(self.variables | variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def topics(self, **variables: str) -> None:
        done = self.run("topics", **variables)
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)

    def worker(self, instance: str, *arguments: str, program: Sequence[str] = _STREAMER, **variables: str) -> Worker:
        """A worker under its supervisor, started and not waited for."""
        command = [*program, "worker", "--instance", instance, *arguments]
        process, log = self.process(instance, command, **variables)
        worker = Worker(instance, process, log)
        self._stack.callback(worker.kill)
        return worker

    def process(self, name: str, command: Sequence[str], **variables: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Any program with this configuration, and its log; standard output goes to a file beside it, `.out`."""
        self._runs += 1
        log = self.folder / f"{self._runs:02}-{name}.log"
        with log.open("ab") as errors, log.with_suffix(".out").open("ab") as output:
            process = subprocess.Popen(
                command,
                env=environment(self.variables | variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process, log

    # What senders and readers see

    # Clients are made when they are first needed: none of ours lives through a broker's death before that.

    @cached_property
    def admin(self) -> Admin:
        return self.broker.admin()

    @cached_property
    def _publisher(self) -> Publisher:
        publisher = self.broker.publisher()
        self._stack.callback(publisher.close)
        return publisher

    @cached_property
    def _observer(self) -> Consumer:
        """Joins nothing; it is there to ask."""
        observer = self.broker.consumer(f"{self.kafka.group}-observer", "observer")
        self._stack.callback(observer.close)
        return observer

    @cached_property
    def _reader(self) -> Reader:
        reader = self.broker.reader([self.kafka.topics.completed, self.kafka.topics.failed], from_beginning=True)
        self._stack.callback(reader.close)
        return reader

    def publish(self, messages: Iterable[Message], publisher: Publisher | None = None) -> None:
        """Publish and wait until all in-sync replicas have everything. `publisher`: one that is closed afterwards."""
        refused: list[Exception] = []
        chosen = publisher or self._publisher
        for message in messages:
            chosen.publish(message, lambda error: refused.append(error) if error else None)
            chosen.poll(0)
        assert chosen.flush(PATIENCE) == 0
        assert not refused, refused[:3]
        if publisher is not None:
            publisher.close()

    def message(self, request: SpeechRequest, partition: int | None = None, headers: Headers = ()) -> Message:
        return Message(
            topic=self.kafka.topics.requests,
            key=Identity(request.source, request.id).key,
            value=avro.requests().encode(request),
            headers=headers,
            partition=partition,
        )

    def results(self) -> list[Read]:
        """Everything that is committed on tts.completed and tts.failed, in the order of each partition."""
        decoders: dict[str, Callable[[bytes | None], Result]] = {
            self.kafka.topics.completed: avro.completed().decode,
            self.kafka.topics.failed: avro.failed().decode,
        }
        self._results += [Read(decoders[r.partition.topic](r.value), r) for r in drained(self._reader)]
        return self._results

    def completed(self) -> dict[str, SpeechCompleted]:
        return {r.result.id: r.result for r in self.results() if isinstance(r.result, SpeechCompleted)}

    def failed(self) -> dict[str, SpeechFailed]:
        return {r.result.id: r.result for r in self.results() if isinstance(r.result, SpeechFailed)}

    def records(self, topic: str) -> list[Record]:
        reader = self.broker.reader([topic], from_beginning=True)
        try:
            return drained(reader)
        finally:
            reader.close()

    def commits(self) -> dict[Partition, Commit | None]:
        return self.admin.commits(self.kafka.group, self.partitions, 10.0)

    def lags(self) -> dict[Partition, int]:
        """What the group has not finished, in offsets, by partition."""
        commits, ask = self.commits(), self._observer.bounds
        return {p: ask(p, 10.0)[1] - (commits[p] or Commit(0, "")).offset for p in self.partitions}

    def finished(self) -> bool:
        """The group has finished all there is. False also while nobody can say."""
        try:
            return not any(self.lags().values())
        except BrokerError:
            return False


def drained(reader: Reader) -> list[Record]:
    """All that is committed and was not read yet."""
    records: list[Record] = []
    while not reader.at_end():
        records += reader.poll(10_000, 0.2)
    return records
