"""What is deployed at the moment, and what processes are started with: parts as the command line puts them together."""

from __future__ import annotations

import random

from streamer.clock import ManualClock
from streamer.kafka.base import Broker
from streamer.records import SpeechRequest
from streamer.store.base import Store
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.assembly import Surroundings, assemble, assemble_replay
from streamer.worker.liveness import Liveness
from streamer.worker.replay.run import Run
from streamer.worker.start import Allowed
from streamer.worker.synthesis import EngineHost
from tests.simulation.engine import SimEngine
from tests.simulation.faults import FaultyRegistry, Striker
from tests.simulation.process import Life, ManualPool
from tests.simulation.shared import Shared
from tests.simulation.workload import RULES, TOPIC


class Deployment:
    """Starts processes."""

    def __init__(
        self,
        shared: Shared,
        broker: Broker,
        store: Store,
        registry: FaultyRegistry,
        striker: Striker,
        clock: ManualClock,
        rng: random.Random,
    ) -> None:
        self.revision = 1
        """Of engine and templates."""
        self.cured: set[str] = set()
        """Texts that an engine fails no longer."""
        self._shared, self._broker, self._store, self._registry = shared, broker, store, registry
        self._striker, self._clock, self._rng = striker, clock, rng

    @property
    def rules(self) -> int:
        """Which of RULES are deployed."""
        return (self.revision - 1) % len(RULES)

    def worker(self, instance: str) -> Life:
        """A worker that has begun. Errors: those of `assemble` and `begin`."""
        pool = ManualPool(self._rng)
        around = self._around(pool)
        worker = assemble(around, self._shared.settings, instance, Allowed())
        worker.begin(TOPIC)
        return Life(worker, pool, around.engine)

    def replay(self, run: Run, instance: str) -> Life:
        """A process of a run that has begun. Errors: those of `assemble_replay` and `begin`."""
        pool = ManualPool(self._rng)
        around = self._around(pool)
        worker = assemble_replay(around, self._shared.settings, run, instance)
        worker.begin(TOPIC)
        return Life(worker, pool, around.engine)

    def _around(self, pool: ManualPool) -> Surroundings:
        shared = self._shared
        return Surroundings(
            self._broker,
            self._store,
            EngineHost(SimEngine(self._striker, self.revision, self.cured), self._clock),
            pool,
            shared.codecs._replace(requests=self.codec()),
            shared.voices,
            shared.events[self.rules],
            self._clock,
            shared.log,
            shared.metrics,
            Liveness(self._clock),
        )

    def codec(self) -> ConfluentCodec[SpeechRequest]:
        """Of requests, as every process has one: what it knows of the registry is its own."""
        return ConfluentCodec(self._shared.requests, self._registry, self._clock, None)
