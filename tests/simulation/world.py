"""One history: processes on the in-memory broker and store, a fake clock, and a seed that decides everything."""

from __future__ import annotations

import random
import uuid

from streamer.clock import ManualClock
from streamer.identity import Identity
from streamer.kafka.memory import MemoryCluster
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.initialise import initialise
from tests.simulation.deletions import Deletions
from tests.simulation.deployment import Deployment
from tests.simulation.errand import Errands
from tests.simulation.faults import SESSION, Crash, FaultyRegistry, Striker
from tests.simulation.faulty_store import FaultyStore
from tests.simulation.process import Process
from tests.simulation.redrives import Redrives
from tests.simulation.reference import place
from tests.simulation.replays import Replays
from tests.simulation.senders import Senders
from tests.simulation.shared import POLL, WINDOW, Shared
from tests.simulation.sweeps import BOUND, OUTAGE, Sweeps
from tests.simulation.topics import Topics
from tests.simulation.watched import WatchedBroker
from tests.simulation.workload import EVENTS, SCHEMA_ID, TOPIC, Workload

_STEPS = 500
_SETTLING_ROUNDS = 1500
_ACTIONS = {"turn": 44, "engine": 30, "pool": 44, "time": 8, "publish": 8, "trouble": 4, "errand": 4}
_TURNED = ("turn", "engine", "pool", "pool", "turn")


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
        self.topics = Topics(self.cluster, shared.codecs)
        self.store = FaultyStore(self.striker)
        partitions = self.rng.randint(1, 3)
        for topic in ("requests", "completed", "failed", "replayed"):
            self.cluster.create_topic(f"tts.{topic}", partitions)
        requests = self.cluster.topic(TOPIC)
        if requests is None:
            raise ValueError("a cluster without the topic that was just made")
        self.topic_id = requests.id
        broker = WatchedBroker(self.cluster, self.striker)
        initialise(broker.admin(), self.store, shared.settings, uuid.UUID(int=seed))
        place(self.store)
        now = int(self.clock.now() * 1000)
        registry = FaultyRegistry(self.striker, shared.requests.current)
        framed = ConfluentCodec(shared.requests, registry, self.clock, SCHEMA_ID).encode
        unsent = Workload(self.rng, shared.requests.encode, framed, partitions, now).records
        self.senders = Senders(unsent, self.cluster, broker, self.striker, self._busy)
        self.deployment = Deployment(shared, broker, self.store, registry, self.striker, self.clock, self.rng)
        self.workers = [
            Process(f"worker-{number}", self.deployment.worker, self.striker, self._stands)
            for number in range(self.rng.randint(1, 3))
        ]
        self._still: list[Process] = []
        self.errands = Errands(self.striker, self._meanwhile, self._busy)
        self.deletions = Deletions(self.store, self.topics, self.striker, self._busy)
        self.redrives = Redrives(
            self.cluster,
            broker,
            self.store,
            self.deployment.codec,
            self.topic_id,
            self.topics,
            self.senders,
            self.striker,
            self.deployment.cured,
        )
        self.replays = Replays(
            self.deployment,
            broker,
            self.store,
            shared.settings,
            self.topic_id,
            self.senders,
            self.striker,
            self._stands,
        )
        self._to_replay = self.rng.choice([0, 0, 1, 2])
        self.sweeps = Sweeps(self.store, self.striker)
        self._to_sweep = self.rng.choice([0, 1, 3])
        self._to_redrive = self.rng.choice([0, 2, 2, 4])
        self.striker.forget = self._forget
        self._to_delete = self.rng.choice([0, 0, 2, 4])
        self.violations: list[str] = []
        self.cluster.metadata_limit = self.rng.choice([4096, 4096, 60, 57])

    @property
    def seen(self) -> set[str]:
        return self.striker.seen

    @property
    def engine_fails(self) -> bool:
        """A good text may have used up its attempts: the engine failed, or processes ended so often that one which was
        alone each time was taken for the cause."""
        interrupted = self.striker.interruptions >= self.shared.settings.engine.attempts
        return interrupted or bool(self.seen & {"engine fails", "engine breaks"})

    def run(self) -> None:
        for _ in range(_STEPS):
            self._step()
        self.striker.calm = True
        while self.senders.unsent:
            self.senders.publish_next()
        for round_ in range(_SETTLING_ROUNDS):
            self._settle()
            if round_ % 20 == 19 and self._quiet():
                self._count_load()
                self.clock.advance(BOUND + 1)
                self.sweeps.sweep()
                return
        self.violations.append("liveness: not everything ended once the faults had stopped")

    # One step of the troubled part

    def _step(self) -> None:
        process = self.rng.choice(self._processes)
        action = self.rng.choices(list(_ACTIONS), list(_ACTIONS.values()))[0]
        if action == "publish":
            self.senders.publish_next()
        elif action == "time":
            self.clock.advance(self.rng.choice([0.01, 0.1, 0.5]))
        elif action == "trouble":
            self._trouble(process)
        elif action == "errand":
            self._errand()
        else:
            self._act(process, action)

    def _trouble(self, process: Process) -> None:
        kind = self.rng.choice(["leave", "sleep", "deploy", "metadata", "wait", "marker", "outage", "night"])
        if kind == "leave":
            process.leave()
        elif kind == "sleep":
            process.asleep_until = self.clock.monotonic() + SESSION + 2
            self.striker.interruptions += 1
            self.clock.advance(self.rng.choice([1.0, SESSION + 1]))
        elif kind == "deploy":
            self._deploy(process)
        elif kind == "metadata":
            self.cluster.metadata_limit = self.rng.choice([57, 57, 60, 4096])
        elif kind == "wait":
            if self.rng.random() < 0.3:
                self.clock.advance(self.rng.choice([3.0, 12.0]))
                if self._busy():
                    self.seen.add("expired while waiting")
        elif kind == "outage" and self.rng.random() < 0.3:
            self.clock.advance(OUTAGE)
            self.striker.interruptions += 1
        elif kind == "night" and self.rng.random() < 0.5:
            self._night()
        elif kind == "marker":
            self.senders.abort_something()

    def _night(self) -> None:
        """Everything is stopped, and started in the morning: what attempts left behind is old then."""
        for process in self._processes:
            process.kill()
        self.clock.advance(BOUND + 5)
        if self.rng.random() < 0.7:
            self.errands.start("gc", self.sweeps.sweep)

    def _deploy(self, process: Process) -> None:
        """Another revision from now on, and one process restarted with it."""
        if process.held:
            self.seen.add("deploy between attempts")
            if self.deployment.rules == 0 and self._a_template_fails():
                self.seen.add("template mended between attempts")
        self.deployment.revision += 1
        process.kill()

    def _errand(self) -> None:
        """Somebody has a command run, or begins one anew that did not end."""
        published = self.senders.published
        if not self.errands.pending and self._to_delete and published and self.rng.random() < 0.5:
            self._to_delete -= 1
            identity = self._somebody()
            self.errands.start("delete", lambda: self.deletions.delete(identity))
        elif self._to_replay and published and self.rng.random() < 0.5:
            self._to_replay -= 1
            self._replay()
        elif not self.errands.pending and self._to_sweep and self.rng.random() < 0.5:
            self._to_sweep -= 1
            self.errands.start("gc", self.sweeps.sweep)
        elif not self.errands.pending and self._to_redrive and self.topics.failed():
            self.redrives.cure()
            for _ in range(min(self._to_redrive, self.rng.choice([1, 2, 2]))):
                self._to_redrive -= 1
                self.errands.start("redrive", self.redrives.redrive)
        self.errands.act()

    def _forget(self, identity: Identity) -> None:
        """At once, while somebody else is about to decide something of it."""
        with self.striker.calmly():
            self.deletions.delete(identity)

    def _somebody(self) -> Identity:
        """Who is to be forgotten: mostly one with audio."""
        completed = self.topics.completed() if self.rng.random() < 0.6 else []
        if completed:
            result = self.rng.choice(completed)
            return Identity(result.source, result.id)
        return self.rng.choice(self.senders.published).identity(self.topic_id)

    def _replay(self) -> None:
        """Often after a deploy: that is what replays are for."""
        if self.rng.random() < 0.5:
            self.senders.abort_something()
        self.deployment.revision += self.rng.choice([0, 1])
        if self.replays.active:
            self.seen.add("two runs at once")
        self.replays.begin()

    def _act(self, process: Process, action: str) -> None:
        process.act(action)
        bound = len(self.topics.requests()) * (WINDOW + POLL)
        if process.held > bound:
            self.violations.append(f"memory: {process.name} holds {process.held} records, more than {bound}")

    def _stands(self, process: Process, action: str, seconds: float) -> None:
        """The process stands still in the middle of a call. Its loop goes on while its pool or engine waits; and where
        that ended the process, the call ends too."""
        life = process.life
        self._still += [] if action in ("engine", "pool") else [process]
        self._meanwhile(seconds)
        self._still = [other for other in self._still if other is not process]
        if process.life is not life:
            raise Crash

    def _meanwhile(self, seconds: float) -> None:
        """Somebody stands still in the middle of a call, and the others go on."""
        self.clock.advance(seconds)
        self.striker.interruptions += seconds > SESSION
        awake = [process for process in self._processes if process not in self._still]
        with self.striker.calmly():
            for _ in range(self.rng.choice([0, 4, 12]) if awake else 0):
                for action in _TURNED:
                    self._act(self.rng.choice(awake), action)
                if self.rng.random() < 0.3:
                    self._errand()

    @property
    def _processes(self) -> list[Process]:
        return [*self.workers, *self.replays.active]

    def _busy(self) -> bool:
        return any(process.held for process in self.workers)

    # The part without faults

    def _settle(self) -> None:
        self.cluster.metadata_limit = 4096
        for process in self._processes:
            for action in ("turn", "engine", "pool", "pool"):
                self._act(process, action)
        if self.errands.pending or self.rng.random() < 0.2:
            self._errand()
        self.clock.advance(0.05)

    def _quiet(self) -> bool:
        """All that was sent has ended, and nothing more will be."""
        if (
            self.errands.pending
            or self._to_delete
            or self._to_replay
            or self.replays.active
            or (self._to_redrive and self.topics.failed())
        ):
            return False
        commits = self.topics.commits(self.shared.settings.kafka.group)
        return self.topics.settled() and all(
            (commit := commits.get(log.partition)) is not None and commit.offset >= log.end
            for log in self.topics.requests()
        )

    def _a_template_fails(self) -> bool:
        """Some event whose template fails is on its way."""
        ended = {(answer.source, answer.id) for answer in self.topics.failed()}
        return any(
            published.sent.expected == EVENTS["broken"] and (identity.source, identity.id) not in ended
            for published in self.senders.published
            if (identity := published.sent.identity) is not None
        )

    def _count_load(self) -> None:
        """Nobody counts what is gone."""
        for process in self._processes:
            if process.life is not None and not process.held and process.life.worker.load != 0:
                self.violations.append(f"load: {process.name} holds nothing, and counts {process.life.worker.load}")
