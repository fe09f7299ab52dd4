"""The shipped worker's surroundings, with an engine that costs nothing."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from streamer.clock import SystemClock
from streamer.engines.base import Failure, Profile, Speech, Ticket, Utterance
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.render.events import Events
from streamer.settings import Settings, load
from streamer.store.base import Store
from streamer.voices import Voices
from streamer.wire.opening import open_codecs
from streamer.worker.assembly import Surroundings
from streamer.worker.liveness import Liveness
from streamer.worker.pool import ThreadPool
from streamer.worker.synthesis import EngineThread

_FRAMES = 2_400


class FreeEngine:
    """0.1 s of PCM for whatever is asked, at once."""

    def __init__(self) -> None:
        self.profile = Profile(name="free", revision="1", sample_rate=24_000, capacity=2_000_000, step_limit=10)
        self._samples = np.arange(_FRAMES, dtype=np.int16)
        self._tickets = count()
        self._ready: list[Speech | Failure] = []

    def submit(self, utterance: Utterance) -> Ticket:
        ticket = Ticket(next(self._tickets))
        self._ready.append(Speech(ticket, self._samples))
        return ticket

    def step(self) -> list[Speech | Failure]:
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, ticket: Ticket) -> None:
        """Nothing is ever waiting."""

    def close(self) -> None:
        """Nothing is held."""


def configured(servers: str, group: str) -> Settings:
    base = load(None)
    return base.model_copy(
        update={
            "kafka": base.kafka.model_copy(
                update={"bootstrap_servers": servers, "group": group, "single_broker": True}
            ),
            "log": base.log.model_copy(update={"level": "warning"}),
        }
    )


def surroundings(settings: Settings, store: Store) -> Surroundings:
    """`store` waits for no disk, so that one thread serves it."""
    clock, log, metrics = SystemClock(), logger(settings.log.level), Metrics(CollectorRegistry())
    voices = Voices.load(settings.voices.file)
    return Surroundings(
        broker=ConfluentBroker(settings.kafka, log),
        store=store,
        engine=EngineThread(FreeEngine, clock).start(),
        pool=ThreadPool(1, clock, metrics.store_seconds),
        codecs=open_codecs(settings, clock, "completed", "failed", "replayed"),
        voices=voices,
        events=Events.load(settings.events.file, voices),
        clock=clock,
        log=log,
        metrics=metrics,
        liveness=Liveness(clock),
    )


def rss() -> int:
    """Bytes resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
