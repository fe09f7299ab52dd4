"""One history: workers on the in-memory broker and store, a fake clock, and a seed that decides everything.

The workers are the shipped ones, put together as the command line does; their pool and engine are turned by hand, so
that any interleaving of loop, pool and engine can happen, and a crash at any call.
"""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from streamer.clock import ManualClock
from streamer.errors import BrokerError, Fenced, StopWorker, StoreUnavailable
from streamer.kafka.base import Commit, Partition, Record
from streamer.kafka.memory import MemoryCluster
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.render.events import Events
from streamer.settings import Settings, load
from streamer.voices import Voices
from streamer.wire import avro
from streamer.wire.base import Codecs
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.assembly import Surroundings, assemble
from streamer.worker.initialise import initialise
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.pool import Done, Work, run
from streamer.worker.start import Allowed
from streamer.worker.synthesis import EngineHost
from tests.simulation.engine import SimEngine
from tests.simulation.faults import Crash, FaultyRegistry, FaultyStore, Striker
from tests.simulation.watched import WatchedBroker
from tests.simulation.workload import EVENTS, RULES, SCHEMA_ID, TOPIC, Published, Sent, Workload, redrive

_STEPS = 260
_SETTLING_ROUNDS = 1500
_WINDOW, _POLL = 12, 4
_REDRIVEN = {"synthesis_failed": frozenset({"ok"}), "template_error": frozenset(EVENTS["broken"])}
"""Codes of failures that are sent back, and how they may end then."""
SESSION = 6.0


class Shared:
    """What all histories share, because it is costly to make and has no state that matters."""

    def __init__(self) -> None:
        self.requests = avro.requests()
        self.codecs = Codecs(self.requests, avro.completed(), avro.failed(), avro.replayed())
        base = load(None)
        self.settings: Settings = base.model_copy(
            update={
                "worker": base.worker.model_copy(
                    update={"window": _WINDOW, "poll_records": _POLL, "dead_letter_window": 1000}
                ),
                "log": base.log.model_copy(update={"level": "error"}),
            }
        )
        self.voices = Voices.load(self.settings.voices.file)
        self.events = [self._rules(text) for text in RULES]
        self.log = logger("error")
        self.metrics = Metrics(CollectorRegistry())

    def _rules(self, text: str) -> Events:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return Events.load(Path(file.name), self.voices)


class ManualPool:
    """The store's pool, turned by hand: any job may be next."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._jobs: list[Work] = []
        self._done: list[Done] = []

    def submit(self, jobs: Sequence[Work]) -> None:
        self._jobs += jobs

    def collect(self) -> list[Done]:
        done, self._done = self._done, []
        return done

    def work(self) -> None:
        if self._jobs:
            self._done.append(run(self._jobs.pop(self._rng.randrange(len(self._jobs)))))

    def close(self) -> None:
        self._jobs.clear()


class Slot:
    """One worker process, or the place where one died."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker: Worker | None = None
        self.pool: ManualPool | None = None
        self.host: EngineHost | None = None
        self.stopped = ""
        """Why it must not be restarted."""
        self.asleep_until = 0.0


class World:
    """`run` lives through the history; then `check` (tests/simulation/check.py) reads logs and store."""

    def __init__(self, seed: int, shared: Shared) -> None:
        self.rng = random.Random(seed)
        self.shared = shared
        self.clock = ManualClock()
        self.striker = Striker(self.rng, self.clock)
        self.cluster = MemoryCluster(
            self.clock,
            self.striker,
            session_timeout=SESSION,
            transaction_timeout=shared.settings.kafka.transaction_timeout,
        )
        self.store = FaultyStore(self.striker)
        partitions = self.rng.randint(1, 3)
        for topic in ("requests", "completed", "failed", "replayed"):
            self.cluster.create_topic(f"tts.{topic}", partitions)
        self.broker = WatchedBroker(self.cluster, self.striker)
        initialise(self.broker.admin(), self.store, shared.settings, uuid.UUID(int=seed))
        now = int(self.clock.now() * 1000)
        self.registry = FaultyRegistry(self.striker, shared.requests.current)
        framed = ConfluentCodec(shared.requests, self.registry, self.clock, SCHEMA_ID).encode
        self.unsent = Workload(self.rng, shared.requests.encode, framed, partitions, now).records
        self.published: list[Published] = []
        self.slots = [Slot(f"worker-{number}") for number in range(self.rng.randint(1, 3))]
        self.revision = 1
        self.cured: set[str] = set()
        self.violations: list[str] = []
        self.cluster.metadata_limit = self.rng.choice([4096, 4096, 60, 57])
        self._redriven: set[tuple[str, str]] = set()

    @property
    def seen(self) -> set[str]:
        return self.striker.seen

    def run(self) -> None:
        for _ in range(_STEPS):
            self._step()
        self.striker.calm = True
        while self.unsent:
            self._publish(self.unsent.pop())
        for round_ in range(_SETTLING_ROUNDS):
            self._settle()
            if round_ % 20 == 19:
                self._redrive()
                if self._quiet():
                    self._look_back()
                    return
        self.violations.append("liveness: not everything ended once the faults had stopped")

    # One step of the troubled part

    def _step(self) -> None:
        slot = self.rng.choice(self.slots)
        action = self.rng.choices(["turn", "engine", "pool", "time", "publish", "trouble"], [40, 22, 22, 8, 8, 4])[0]
        if action == "publish":
            if self.unsent:
                self._publish(self.unsent.pop())
        elif action == "time":
            self.clock.advance(self.rng.choice([0.01, 0.1, 0.5]))
        elif action == "trouble":
            self._trouble(slot)
        else:
            self._act(slot, action)
        if self.rng.random() < 0.01:
            self._redrive()

    def _trouble(self, slot: Slot) -> None:
        worker = slot.worker
        holding = worker is not None and worker.held > 0
        kind = self.rng.choice(["leave", "sleep", "deploy", "metadata", "wait", "marker"])
        if kind == "leave" and worker is not None:
            self._guarded(slot, worker.close)
            slot.worker = None
        elif kind == "sleep":
            slot.asleep_until = self.clock.monotonic() + SESSION + 2
            self.clock.advance(self.rng.choice([1.0, SESSION + 1]))
        elif kind == "deploy":
            if holding:
                self.striker.seen.add("deploy between attempts")
                if (self.revision - 1) % len(RULES) == 0 and self._a_template_fails():
                    self.striker.seen.add("template mended between attempts")
            self.revision += 1
            slot.worker = None
        elif kind == "metadata":
            self.cluster.metadata_limit = self.rng.choice([57, 57, 60, 4096])
        elif kind == "wait":
            if self.rng.random() < 0.3:
                self.clock.advance(self.rng.choice([3.0, 12.0]))
                if any(other.worker is not None and other.worker.held for other in self.slots):
                    self.striker.seen.add("expired while waiting")
        elif kind == "marker":
            self._abort_something()

    def _abort_something(self) -> None:
        """A transactional sender whose transaction is aborted leaves a gap and a marker."""
        producer = self.broker.producer("sender")
        producer.init(1)
        producer.begin()
        if self.published:
            producer.produce(self.rng.choice(self.published).sent.message)
        producer.abort(1)

    def _act(self, slot: Slot, action: str) -> None:
        if slot.asleep_until > self.clock.monotonic() and not self.striker.calm:
            return
        if slot.worker is None:
            if not slot.stopped:
                self._guarded(slot, lambda: self._spawn(slot))
            return
        worker, pool, host = slot.worker, slot.pool, slot.host
        if pool is None or host is None:
            return
        if action == "turn":
            self._guarded(slot, worker.turn)
            self._bounded(slot)
        elif action == "engine":
            self._guarded(slot, host.turn)
        else:
            self._guarded(slot, partial(self._work, pool))

    def _work(self, pool: ManualPool) -> None:
        if not self.striker.strikes("store slow", 3):
            pool.work()

    def _spawn(self, slot: Slot) -> None:
        pool = ManualPool(self.rng)
        host = EngineHost(SimEngine(self.striker, f"r{self.revision}", self.cured), self.clock)
        shared = self.shared
        around = Surroundings(
            self.broker,
            self.store,
            host,
            pool,
            shared.codecs._replace(requests=ConfluentCodec(shared.requests, self.registry, self.clock, None)),
            shared.voices,
            shared.events[(self.revision - 1) % len(RULES)],
            self.clock,
            shared.log,
            shared.metrics,
            Liveness(self.clock),
        )
        try:
            worker = assemble(around, shared.settings, slot.name, Allowed())
            worker.begin(TOPIC)
        except (BrokerError, StoreUnavailable):
            return  # a process that cannot start is started again
        slot.worker, slot.pool, slot.host = worker, pool, host

    def _guarded(self, slot: Slot, action: Callable[[], object]) -> None:
        """Run what a process does, and let it die as a process would."""
        worker, striker = slot.worker, self.striker
        before = striker.acting, striker.holding, striker.elsewhere
        striker.acting = True
        striker.holding = lambda: worker is not None and worker.held > 0
        striker.elsewhere = lambda: self._others(slot)
        try:
            action()
        except (Crash, Fenced):
            slot.worker = None
        except StopWorker as error:
            slot.worker, slot.stopped = None, f"{type(error).__name__}: {error}"
        finally:
            striker.acting, striker.holding, striker.elsewhere = before

    def _others(self, stopped: Slot) -> None:
        """The slot's process stands still past its session, in the middle of a call; the others take over."""
        self.clock.advance(SESSION + 1)
        awake = [slot for slot in self.slots if slot is not stopped]
        before, self.striker.acting = self.striker.acting, False
        for _ in range(self.rng.choice([0, 4, 12]) if awake else 0):
            for action in ("turn", "engine", "pool", "pool", "turn"):
                self._calmly(self.rng.choice(awake), action)
        self.striker.acting = before

    def _calmly(self, slot: Slot, action: str) -> None:
        """No further faults within a fault."""
        before, self.striker.calm = self.striker.calm, True
        self._act(slot, action)
        self.striker.calm = before

    def _bounded(self, slot: Slot) -> None:
        bound = len(self.cluster.logs(TOPIC)) * (_WINDOW + _POLL)
        if slot.worker is not None and slot.worker.held > bound:
            self.violations.append(f"memory: {slot.name} holds {slot.worker.held} records, more than {bound}")

    # Senders

    def _publish(self, sent: Sent) -> None:
        log = self.cluster.log(Partition(TOPIC, sent.message.partition or 0))
        earlier = [p for p in self.published if sent.identity and p.sent.identity == sent.identity]
        if any(p.partition != log.partition.number for p in earlier) and any(
            slot.worker is not None and slot.worker.held for slot in self.slots
        ):
            self.striker.seen.add("duplicate over partitions")
        self.published.append(Published(sent, log.partition.number, log.end))
        self.cluster.append(sent.message)

    def _redrive(self) -> None:
        """Send back what failed and can be cured, now and then twice."""
        failed = [self.shared.codecs.failed.decode(record.value) for record in self.results("tts.failed")]
        by_place = {(published.partition, published.offset): published for published in self.published}
        for failure in failed:
            key = (failure.source, failure.id)
            original = by_place[failure.position.partition, failure.position.offset]
            if failure.code not in _REDRIVEN or failure.generation > 1 or key in self._redriven:
                continue
            if failure.code == "synthesis_failed" and failure.code not in original.sent.expected:
                continue  # the engine failed a text that is none of its poisons
            self._redriven.add(key)
            if failure.code == "synthesis_failed":
                self.cured.add(original.sent.text)
            for _ in range(self.rng.choice([1, 1, 2])):
                self._publish(redrive(original, 1, _REDRIVEN[failure.code]))

    # The part without faults

    def _settle(self) -> None:
        self.cluster.metadata_limit = 4096
        for slot in self.slots:
            for action in ("turn", "engine", "pool", "pool"):
                self._act(slot, action)
        self.clock.advance(0.05)

    def _quiet(self) -> bool:
        commits = self.commits()
        return all(
            (commit := commits.get(log.partition)) is not None and commit.offset >= log.end
            for log in self.cluster.logs(TOPIC)
        )

    def _a_template_fails(self) -> bool:
        """Some event whose template fails is on its way."""
        codecs = self.shared.codecs
        answers = [codecs.failed.decode(record.value) for record in self.results("tts.failed")]
        ended = {(answer.source, answer.id) for answer in answers}
        return any(
            published.sent.expected == EVENTS["broken"] and (identity.source, identity.id) not in ended
            for published in self.published
            if (identity := published.sent.identity) is not None
        )

    def _look_back(self) -> None:
        """What happened to whom; and nobody counts what is gone."""
        by_place = {(published.partition, published.offset): published.sent for published in self.published}
        for record in self.results("tts.failed"):
            failure = self.shared.codecs.failed.decode(record.value)
            if failure.code == "not_wanted":
                self.striker.seen.add("event not wanted")
            sent = by_place[failure.position.partition, failure.position.offset]
            if failure.code == "expired" and sent.expected == EVENTS["brief"] and not sent.text:
                self.striker.seen.add("time to live ran out")
        for slot in self.slots:
            if slot.worker is not None and slot.worker.held == 0 and slot.worker.load != 0:
                self.violations.append(f"load: {slot.name} holds nothing, and counts {slot.worker.load}")

    # What the check reads

    def results(self, topic: str) -> list[Record]:
        return [record for log in self.cluster.logs(topic) for record in log.read(0, 10_000)[0]]

    def engine_failed(self) -> bool:
        """Whether the engine failed good texts in this history, often enough to use up their attempts."""
        return bool(self.seen & {"engine fails", "engine breaks"})

    def commits(self) -> dict[Partition, Commit]:
        return self.cluster.group(self.shared.settings.kafka.group).commits
