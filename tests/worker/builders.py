"""What the worker's tests are built of: records, tasks, an engine that follows a script, a pool turned by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from streamer.clock import Clock, ManualClock
from streamer.engines.base import Failure, Profile, Speech, SpeechBounds, Ticket, Utterance
from streamer.errors import StoreRejected, StoreUnavailable
from streamer.kafka.base import Commit, Headers, Message, Partition, Record
from streamer.kafka.memory import Faults, MemoryCluster
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.records import SpeechCompleted, SpeechFailed, SpeechRequest
from streamer.render.events import Events
from streamer.settings import Settings, load
from streamer.store.base import Store
from streamer.store.encoding import encode
from streamer.store.memory import MemoryStore
from streamer.voices import Voice, Voices
from streamer.wire import avro
from streamer.wire.base import Codecs
from streamer.worker.assembly import Surroundings, assemble
from streamer.worker.initialise import initialise
from streamer.worker.journal import Journal
from streamer.worker.keeper import Keeper
from streamer.worker.ledger import Ledger, Settled
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.mastering import Mastering
from streamer.worker.metadata import Finished, MetadataCodec
from streamer.worker.pool import Done, Work, run
from streamer.worker.results import Results
from streamer.worker.service import Service
from streamer.worker.start import Allowed
from streamer.worker.synthesis import EngineHost
from streamer.worker.task import RequestCodec, Task, TaskReader
from streamer.worker.tenure import Tenure

TOPIC = "tts.requests"
PARTITION = Partition(TOPIC, 0)
TOPIC_ID = uuid.UUID(int=7)
STORE_ID = "0123456789abcdef"
CODECS = Codecs(avro.requests(), avro.completed(), avro.failed(), avro.replayed())
VOICES = Voices({"plain": Voice(name="plain"), "vip": Voice(name="vip", rate=135)}, "plain")
NO_EVENTS = Events({})
RULES = """
[events.paid]
template = "order {{ data.n }} is paid"
voice = "vip"
when = "data.n != -1"
ttl = "10s"
[events.empty]
template = "{% if false %}x{% endif %}"
"""


def rules(folder: Path, text: str = RULES) -> Events:
    file = folder / "events.toml"
    file.write_text(text)
    return Events.load(file, VOICES)


def codec() -> MetadataCodec:
    return MetadataCodec(STORE_ID, TOPIC_ID)


def service(store: Store, profile: Profile, clock: Clock) -> Service:
    return Service(
        Keeper(store, Mastering(store.uri, encode, profile, format="wav", sample_rate=24_000), clock),
        Results(
            CODECS.completed.encode,
            CODECS.failed.encode,
            completed_topic="tts.completed",
            failed_topic="tts.failed",
            max_failed_bytes=8_000_000,
        ),
        journal(),
    )


def tenure(base: int = 0, partition: Partition = PARTITION) -> Tenure:
    """One that runs, from `base` on."""
    made = Tenure(partition)
    made.ledger = Ledger(codec(), Finished(base, (), base), None)
    return made


def encoded(id: str = "a", text: str | None = "hello", **fields: Any) -> bytes:
    return CODECS.requests.encode(SpeechRequest(source="shop", id=id, text=text, **fields))


def record(
    value: bytes | None,
    offset: int = 0,
    headers: Headers = (),
    *,
    key: bytes | None = b"key",
    partition: Partition = PARTITION,
    timestamp: int = 1_700_000_000_000,
) -> Record:
    return Record(partition=partition, offset=offset, key=key, value=value, headers=headers, timestamp=timestamp)


def reader(codec: RequestCodec = CODECS.requests, events: Events = NO_EVENTS) -> TaskReader:
    return TaskReader(codec, "cluster", TOPIC_ID, events.ttl)


def task(id: str = "a", text: str | None = "hello", offset: int = 0, of: Tenure | None = None, **fields: Any) -> Task:
    """A decoded one, with its utterance made."""
    made = reader().read(of or tenure(), record(encoded(id, text, **fields), offset))
    made.utterance = Utterance(text=text or "", voice=Voice(name="plain"), seed=1)
    return made


def settled(id: str = "a", value: bytes | None = b"value") -> Settled:
    message = None if value is None else Message(topic="tts.completed", key=id.encode(), value=value)
    return Settled(id, "", "ok" if message else "duplicate", message)


def journal() -> Journal:
    return Journal(logger("error"), Metrics(CollectorRegistry()), audible=False)


class ScriptedEngine:
    """Speaks everything at the next step, but what the script names by its text."""

    def __init__(self, capacity: int = 100) -> None:
        self.profile = Profile(
            name="script",
            revision="1",
            sample_rate=24_000,
            capacity=capacity,
            step_limit=1.0,
            bounds=SpeechBounds(least_rms=0.001),
        )
        self.raises: Exception | None = None
        self.refuses: set[str] = set()
        self.held: set[str] = set()
        self.fails: set[str] = set()
        self.mute: set[str] = set()
        self.out_of_memory = False
        self.silent: dict[str, set[int]] = {}
        """Text → seeds with which it is spoken as silence."""
        self.seeds: list[int] = []
        self.submitted: list[str] = []
        self.cancelled: list[Ticket] = []
        self.closed = False
        self._rows: dict[Ticket, Utterance] = {}
        self._tickets = count()

    def submit(self, utterance: Utterance) -> Ticket:
        if utterance.text in self.refuses:
            raise RuntimeError("refused")
        self.submitted.append(utterance.text)
        self.seeds.append(utterance.seed)
        ticket = Ticket(next(self._tickets))
        self._rows[ticket] = utterance
        return ticket

    def step(self) -> list[Speech | Failure]:
        if self.raises is not None:
            raise self.raises
        ended: list[Speech | Failure] = []
        for ticket, utterance in list(self._rows.items()):
            if utterance.text in self.held:
                continue
            del self._rows[ticket]
            if utterance.text in self.mute:
                ended.append(Failure(ticket, "no sound", mute=True))
            elif utterance.text in self.fails:
                ended.append(Failure(ticket, "injected", out_of_memory=self.out_of_memory))
            else:
                silent = utterance.seed in self.silent.get(utterance.text, ())
                ended.append(Speech(ticket, np.arange(240, dtype=np.int16) * (not silent)))
        return ended

    def cancel(self, ticket: Ticket) -> None:
        self.cancelled.append(ticket)
        self._rows.pop(ticket, None)

    def close(self) -> None:
        self.closed = True


class HandPool:
    """The store's pool, turned by `work`."""

    def __init__(self) -> None:
        self.jobs: list[Work] = []
        self._done: list[Done] = []

    def submit(self, jobs: Sequence[Work]) -> None:
        self.jobs += jobs

    def collect(self) -> list[Done]:
        done, self._done = self._done, []
        return done

    def work(self) -> None:
        jobs, self.jobs = self.jobs, []
        self._done += [run(job) for job in jobs]

    def close(self) -> None:
        self.jobs.clear()


class TroubledStore(MemoryStore):
    """Notes what is done to it; down, or refusing some keys, as told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self.down = False
        self.refuses: Callable[[str], bool] = lambda key: False

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        self._note("put", key)
        if self.refuses(key):
            raise StoreRejected(f"{key}: injected")
        return super().put(key, data)

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        self._note("replace", key)
        if self.refuses(key):
            raise StoreRejected(f"{key}: injected")
        super().replace(key, data)

    def delete(self, key: str) -> None:
        self._note("delete", key)
        super().delete(key)

    def size(self, key: str) -> int | None:
        self._note("size", key)
        return super().size(key)

    def get(self, key: str) -> bytes | None:
        self._note("get", key)
        return super().get(key)

    def _note(self, operation: str, key: str) -> None:
        self.calls.append((operation, key))
        if self.down:
            raise StoreUnavailable("injected")


class WorkingClock(ManualClock):
    """While somebody sleeps on it, as an idle poll does, `work` gets done."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.work()


class Running:
    """One worker whose engine and pool are turned by hand."""

    def __init__(self, rig: Rig, instance: str, allowed: Allowed) -> None:
        self.engine = ScriptedEngine(rig.capacity)
        self.host = EngineHost(self.engine, rig.clock)
        self.pool = HandPool()
        self.clock = rig.clock
        around = Surroundings(
            rig.cluster.broker(),
            rig.store,
            self.host,
            self.pool,
            rig.codecs,
            VOICES,
            NO_EVENTS,
            rig.clock,
            logger("error"),
            Metrics(CollectorRegistry()),
            Liveness(rig.clock),
        )
        self.worker: Worker = assemble(around, rig.settings, instance, allowed)

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.worker.turn()
            self.others()

    def until(self, condition: Callable[[], bool], turns: int = 300) -> None:
        """Turn until it holds, every turn 10 ms."""
        for _ in range(turns):
            if condition():
                return
            self.turn()
            self.clock.advance(0.01)
        raise AssertionError(f"not within {turns} turns")

    def others(self) -> None:
        """What the engine's thread and the pool do meanwhile."""
        self.host.turn()
        self.pool.work()


class Rig:
    """A cluster in memory with its topics initialised; `worker` adds workers, shipped ones but for engine and pool."""

    def __init__(
        self,
        *,
        partitions: int = 1,
        capacity: int = 10_000,
        faults: Faults | None = None,
        clock: ManualClock | None = None,
        **worker: object,
    ) -> None:
        self.clock = clock or ManualClock()
        self.capacity = capacity
        self.store = TroubledStore()
        self.codecs = CODECS
        self.cluster = MemoryCluster(self.clock, faults)
        base = load(None)
        self.settings: Settings = base.model_copy(
            update={
                "worker": base.worker.model_copy(update=worker),
                "log": base.log.model_copy(update={"level": "error"}),
            }
        )
        for topic in ("requests", "completed", "failed", "replayed"):
            self.cluster.create_topic(f"tts.{topic}", partitions)
        self.initialise()

    def initialise(self) -> list[str]:
        return initialise(self.cluster.broker().admin(), self.store, self.settings, TOPIC_ID)

    def worker(self, instance: str = "a", allowed: Allowed = Allowed(), *, begin: bool = True) -> Running:  # noqa: B008 - frozen
        running = Running(self, instance, allowed)
        if begin:
            running.worker.begin(TOPIC)
        return running

    def publish(
        self, id: str, text: str | None = "hello", partition: int = 0, headers: Headers = (), **fields: Any
    ) -> None:
        value = encoded(id, text, **fields)
        self.cluster.append(Message(topic=TOPIC, key=id.encode(), value=value, headers=headers, partition=partition))

    def completed(self) -> list[SpeechCompleted]:
        return [CODECS.completed.decode(value) for value in self._values("tts.completed")]

    def failed(self) -> list[SpeechFailed]:
        return [CODECS.failed.decode(value) for value in self._values("tts.failed")]

    def commit(self, partition: int = 0) -> Commit:
        return self.cluster.group(self.settings.kafka.group).commits[Partition(TOPIC, partition)]

    def set_commit(self, commit: Commit | None, partition: int = 0) -> None:
        commits = self.cluster.group(self.settings.kafka.group).commits
        if commit is None:
            del commits[Partition(TOPIC, partition)]
        else:
            commits[Partition(TOPIC, partition)] = commit

    def _values(self, topic: str) -> list[bytes | None]:
        return [record.value for log in self.cluster.logs(topic) for record in log.read(0, 10_000)[0]]
