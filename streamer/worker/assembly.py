"""Puts a worker together: the same way for the command line and for the simulation."""

from __future__ import annotations

from typing import NamedTuple

from streamer.clock import Clock
from streamer.errors import NotInitialised
from streamer.kafka.base import Admin, Broker, Topic
from streamer.observe.logs import Log
from streamer.observe.metrics import Metrics
from streamer.render.events import Events
from streamer.settings import Settings
from streamer.store.base import Store
from streamer.store.encoding import encode, version
from streamer.store.groups import Groups
from streamer.voices import Voices
from streamer.wire.base import Codecs
from streamer.worker.admission import Admission
from streamer.worker.dead_letters import DeadLetters
from streamer.worker.journal import Journal
from streamer.worker.keeper import Keeper
from streamer.worker.limits import limits
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.mastering import Mastering
from streamer.worker.metadata import MetadataCodec
from streamer.worker.pipeline import Parts, Pipeline
from streamer.worker.pool import Pool
from streamer.worker.results import Results
from streamer.worker.service import Service
from streamer.worker.start import Allowed, Starts
from streamer.worker.synthesis import EngineHost
from streamer.worker.task import TaskReader
from streamer.worker.transaction import Transactor
from streamer.worker.utterances import Utterances

_CALL = 10.0
"""Seconds that the cluster has to answer at start."""


class Surroundings(NamedTuple):
    """What a worker is put into."""

    broker: Broker
    store: Store
    engine: EngineHost
    pool: Pool
    codecs: Codecs
    voices: Voices
    events: Events
    clock: Clock
    log: Log
    metrics: Metrics
    liveness: Liveness


def assemble(around: Surroundings, settings: Settings, instance: str, allowed: Allowed) -> Worker:
    """A worker that has not begun. Errors: NotInitialised, StoreMismatch, BrokerUnreachable, those of the store."""
    admin = around.broker.admin()
    topic = request_topic(admin, settings)
    clock, engine, group = around.clock, around.engine, settings.kafka.group
    journal = Journal(around.log, around.metrics, audible=settings.log.level in ("debug", "info"))
    groups = Groups(around.store)
    parts = Parts(
        reader=TaskReader(around.codecs.requests, admin.cluster_id(_CALL), topic.id, around.events.ttl),
        load_schema=around.codecs.requests.load,
        pool=around.pool,
        duty=Service(Keeper(around.store, _mastering(around, settings), clock), _results(around, settings), journal),
        engine=engine,
        admission=Admission(engine.profile.capacity, settings.engine.attempts),
        utterances=Utterances(around.events, around.voices, settings.engine.max_text, settings.audio),
        dead_letters=DeadLetters(settings.worker.dead_letter_window, settings.worker.dead_letter_share),
        journal=journal,
        clock=clock,
    )
    consumer = around.broker.consumer(group, instance)
    return Worker(
        consumer,
        Transactor(around.broker, f"{group}-{instance}", consumer, clock, settings.kafka.transaction_timeout),
        Pipeline(parts),
        Starts(MetadataCodec(groups.store_id(), topic.id), groups, topic.id, group, allowed),
        limits(settings, engine.profile.capacity),
        clock,
        journal,
        around.liveness,
    )


def _mastering(around: Surroundings, settings: Settings) -> Mastering:
    return Mastering(
        around.store.uri,
        encode,
        around.engine.profile,
        format=settings.audio.format,
        sample_rate=settings.audio.sample_rate,
        encoder=version(),
    )


def _results(around: Surroundings, settings: Settings) -> Results:
    return Results(
        around.codecs.completed.encode,
        around.codecs.failed.encode,
        completed_topic=settings.kafka.topics.completed,
        failed_topic=settings.kafka.topics.failed,
        max_failed_bytes=settings.kafka.max_failed_bytes,
    )


def request_topic(admin: Admin, settings: Settings) -> Topic:
    """The request topic, all others being there as well. Errors: NotInitialised where one is missing."""
    names = settings.kafka.topics
    topics = admin.topics([names.requests, names.completed, names.failed], _CALL)
    missing = [name for name, topic in topics.items() if topic is None]
    found = topics[names.requests]
    if missing or found is None:
        where = settings.kafka.bootstrap_servers
        raise NotInitialised(f"no topic {', '.join(missing)} at {where}; run `streamer topics`, or set kafka.topics")
    return found
