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
from streamer.store.attempts import Attempts
from streamer.store.base import Store
from streamer.store.encoding import encode, version
from streamer.store.groups import Groups
from streamer.voices import Voices
from streamer.wire.base import Codecs
from streamer.worker.admission import Admission
from streamer.worker.dead_letters import DeadLetters
from streamer.worker.duty import Duty
from streamer.worker.journal import Journal
from streamer.worker.keeper import Keeper
from streamer.worker.limits import limits
from streamer.worker.liveness import Liveness
from streamer.worker.loop import Worker
from streamer.worker.mastering import Mastering
from streamer.worker.metadata import MetadataCodec
from streamer.worker.parts import Parts
from streamer.worker.pipeline import Pipeline
from streamer.worker.pool import Pool
from streamer.worker.prompts import Prompts
from streamer.worker.replay.replayed import Replayed
from streamer.worker.replay.replayer import Replayer
from streamer.worker.replay.run import Run
from streamer.worker.replay.starts import RunStarts, anew
from streamer.worker.results import Results
from streamer.worker.service import Service
from streamer.worker.start import Allowed, StartingPoints, Starts
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


class _Role(NamedTuple):
    """In what two workers differ that are put together alike."""

    topic: Topic
    group: str
    duty: Duty
    starts: StartingPoints
    journal: Journal


def assemble(around: Surroundings, settings: Settings, instance: str, allowed: Allowed) -> Worker:
    """A worker that has not begun. Errors: NotInitialised, StoreMismatch, BrokerUnreachable, those of the store."""
    admin, group, journal = around.broker.admin(), settings.kafka.group, _journal(around, settings)
    topic = request_topic(admin, settings)
    groups = Groups(around.store)
    starts = Starts(MetadataCodec(groups.store_id(), topic.id), groups, topic.id, group, allowed)
    keeper = Keeper(around.store, _mastering(around, settings), around.clock)
    duty = Service(keeper, _results(around, settings), journal)
    return _assembled(around, settings, instance, admin, _Role(topic, group, duty, starts, journal))


def assemble_replay(around: Surroundings, settings: Settings, run: Run, instance: str) -> Worker:
    """A worker of a run that has not begun. Errors: as `assemble`."""
    admin, group, journal = around.broker.admin(), run.group(settings.kafka.group), _journal(around, settings)
    names = settings.kafka.topics
    topic = request_topic(admin, settings, names.replayed)
    codec = MetadataCodec(Groups(around.store).store_id(), topic.id, anew(run))
    largest = max(settings.kafka.max_request_bytes, 1_048_588)  # of the topic, as kafka.topology makes it
    replayed = Replayed(around.codecs.replayed.encode, names.replayed, run.label, largest)
    mastering = _mastering(around, settings)
    duty = Replayer(around.store, mastering, replayed, run, around.clock, journal)
    return _assembled(
        around, settings, instance, admin, _Role(topic, group, duty, RunStarts(codec, run, around.log), journal)
    )


def _assembled(around: Surroundings, settings: Settings, instance: str, admin: Admin, role: _Role) -> Worker:
    clock, engine = around.clock, around.engine
    requests = around.codecs.requests
    parts = Parts(
        reader=TaskReader(requests, admin.cluster_id(_CALL), role.topic.id, around.events.ttl),
        load_schema=requests.load,
        pool=around.pool,
        duty=role.duty,
        engine=engine,
        admission=Admission(engine.profile.capacity, settings.engine.attempts),
        attempts=Attempts(around.store, role.topic.id, role.group),
        utterances=Utterances(
            around.events, around.voices, settings.engine.max_text, settings.audio, clones=engine.profile.clones
        ),
        prompts=Prompts(settings.voices.prompt_folders, around.store),
        dead_letters=DeadLetters(settings.worker.dead_letter_window, settings.worker.dead_letter_share),
        journal=role.journal,
        clock=clock,
    )
    consumer = around.broker.consumer(role.group, instance)
    transactional_id = f"{role.group}-{instance}"
    return Worker(
        consumer,
        Transactor(around.broker, transactional_id, consumer, clock, settings.kafka.transaction_timeout),
        Pipeline(parts),
        role.starts,
        limits(settings, engine.profile.capacity),
        clock,
        role.journal,
        around.liveness,
    )


def _journal(around: Surroundings, settings: Settings) -> Journal:
    return Journal(around.log, around.metrics, audible=settings.log.level in ("debug", "info"))


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


def request_topic(admin: Admin, settings: Settings, *others: str) -> Topic:
    """The request topic, where all others are there as well, those of the results and `others`.

    Errors: NotInitialised where one is missing.
    """
    names = settings.kafka.topics
    topics = admin.topics([names.requests, names.completed, names.failed, *others], _CALL)
    missing = [name for name, topic in topics.items() if topic is None]
    found = topics[names.requests]
    if missing or found is None:
        where = settings.kafka.bootstrap_servers
        raise NotInitialised(f"no topic {', '.join(missing)} at {where}; run `streamer topics`, or set kafka.topics")
    return found
