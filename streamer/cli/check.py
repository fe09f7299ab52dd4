"""`streamer check`: validate the configuration and reach every dependency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import click

from streamer.cli.main import configured
from streamer.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_NEVER_RESTART,
    ConfigurationError,
    StopWorker,
    StreamerError,
)

if TYPE_CHECKING:
    from streamer.clock import Clock
    from streamer.engines.base import Failure, Speech, Synthesizer
    from streamer.kafka.base import Admin, Topic
    from streamer.settings import Settings
    from streamer.store.base import Store
    from streamer.voices import Voice, Voices

_KAFKA = 10.0
_COMMITS = 15.0
"""Seconds; behind a worker's open transaction its commits are told only when that ends (kafka.transaction_timeout)."""
_SENTENCE = "This is a check."


class _Line(NamedTuple):
    """What was found out about a dependency; `state`: ok, warning or failed."""

    state: str
    text: str


Check = Callable[[], Iterator[_Line]]
"""Raises a StreamerError where the dependency cannot be had."""


@click.command()
@configured
def command(settings: Settings) -> int:
    """Reach Kafka, topics, group, store, registry, voices, events and engine, and say of each: ok, warning or failed.

    Nothing is created, but the store is written to. Exit 0 where nothing failed, 2 for wrong configuration, else 1.
    """
    store = _Store(settings)
    kafka = _Kafka(settings, store)
    checks: dict[str, Check] = {
        "kafka": kafka.cluster,
        "topics": kafka.topics,
        "group": kafka.group,
        "store": store.id,
        "registry": lambda: _registry(settings),
        "voices": lambda: _voices(settings),
        "events": lambda: _events(settings),
        "engine": lambda: _engine(settings),
        "bridge": lambda: _bridge(settings),
    }
    with closing(store):
        return max([_told(name, check) for name, check in checks.items()])


def _told(name: str, check: Check) -> int:
    """Say what was found; the exit code it makes for."""
    code = EXIT_DONE
    try:
        for state, text in check():
            click.echo(f"ok {name} {text}" if state == "ok" else f"{state} {name}: {text}")
            code = max(code, EXIT_FAILED if state == "failed" else EXIT_DONE)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"failed {name}: {problem}")
        return EXIT_NEVER_RESTART
    except StreamerError as error:
        click.echo(f"failed {name}: {error}")
        return EXIT_FAILED
    return code


class _Kafka:
    """The checks that need the cluster: where it does not answer, the later ones are not asked."""

    def __init__(self, settings: Settings, store: _Store) -> None:
        self._settings, self._names, self._store = settings, settings.kafka.topics, store
        self._admin: Admin | None = None
        self._requests: Topic | None = None

    def cluster(self) -> Iterator[_Line]:
        from streamer.kafka.confluent import ConfluentBroker
        from streamer.observe.logs import logger

        servers = self._settings.kafka.bootstrap_servers
        admin = ConfluentBroker(self._settings.kafka, logger("error", self._settings.log.format)).admin()
        cluster = admin.cluster_id(_KAFKA)
        self._admin = admin
        yield _Line("ok", f"{servers}, cluster {cluster}")

    def topics(self) -> Iterator[_Line]:
        from streamer.kafka.topology import check

        if self._admin is None:
            yield _Line("failed", "not asked, for Kafka does not answer")
            return
        found = self._admin.topics(list(self._names.model_dump().values()), _KAFKA)
        self._requests = found[self._names.requests]
        failed = False
        for name, topic in found.items():
            if topic is None:
                failed = True
                yield _Line("failed", f"{name} does not exist: run `streamer topics`")
                continue
            for finding in check(topic, self._settings.kafka):
                failed = failed or finding.severity == "error"
                state = "failed" if finding.severity == "error" else "warning"
                yield _Line(state, f"{name}: {finding.key} is {finding.value}: {finding.remedy}")
        if not failed:
            yield _Line("ok", ", ".join(found))

    def group(self) -> Iterator[_Line]:
        """As a worker will judge its commits, less whether the log lost its end."""
        from streamer.kafka.base import Partition
        from streamer.store.groups import Groups
        from streamer.worker.metadata import MetadataCodec
        from streamer.worker.start import Allowed, Starts

        if self._admin is None or self._requests is None:
            yield _Line("failed", "not asked, for its topic was not found")
            return
        group, topic = self._settings.kafka.group, self._requests
        partitions = [Partition(topic.name, number) for number in range(topic.partitions)]
        commits = self._admin.commits(group, partitions, _COMMITS)
        lows = self._admin.low_watermarks(partitions, _KAFKA)
        failed = False
        store = self._store.opened()
        if store is None:
            yield _Line("failed", "its start cannot be read, for the store cannot be used")
            return
        groups = Groups(store)
        starts = Starts(MetadataCodec(groups.store_id(), topic.id), groups, topic.id, group, Allowed())
        for partition, commit in commits.items():
            try:
                starts.ledger(partition, commit, (lows[partition], commit.offset if commit else lows[partition]))
            except StopWorker as error:
                failed = True
                yield _Line("failed", str(error))
        if not failed:
            yield _Line("ok", f"{group}, begun in all {len(partitions)} partitions of {topic.name}")


class _Store:
    """Opened once, for a store that does not answer takes its time to say so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._error: StreamerError | None = None

    def opened(self) -> Store | None:
        """None where it cannot be opened; `id` says why."""
        from streamer.store.opening import open_store

        if self._store is None and self._error is None:
            try:
                self._store = open_store(self._settings.store)
            except StreamerError as error:
                self._error = error
        return self._store

    def id(self) -> Iterator[_Line]:
        from streamer.store.groups import Groups

        store = self.opened()
        if self._error is not None:
            raise self._error
        if store is not None:
            yield _Line("ok", f"{self._settings.store.url}, id {Groups(store).store_id()}")

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


def _registry(settings: Settings) -> Iterator[_Line]:
    from streamer.wire.opening import unregistered

    url = settings.schema_registry.url
    if not url:
        yield _Line("ok", "none: records are Avro single objects")
        return
    missing = unregistered(settings)
    for subject in missing:
        yield _Line("failed", f"subject {subject} does not hold the schema of this version: run `streamer topics`")
    if not missing:
        yield _Line("ok", f"{url.rpartition('@')[2]}, which holds our schemas")


def _voices(settings: Settings) -> Iterator[_Line]:
    from streamer.voices import Voices

    voices = Voices.load(settings.voices.file)
    prompts = f"; with prompts {', '.join(voices.with_prompts)}" if voices.with_prompts else ""
    yield _Line("ok", f"{settings.voices.file}: {', '.join(voices.names)}; default {voices.default}{prompts}")
    for folder in settings.voices.prompt_folders:
        if not folder.is_dir():
            yield _Line(
                "warning", f"voices.prompt_folders: {folder} is no folder, so no request's prompt is read there"
            )


def _events(settings: Settings) -> Iterator[_Line]:
    from streamer.render.events import Events
    from streamer.voices import Voices

    events = Events.load(settings.events.file, Voices.load(settings.voices.file))
    yield _Line("ok", f"{settings.events.file}: {', '.join(events.types)}")


def _engine(settings: Settings) -> Iterator[_Line]:
    from streamer.clock import SystemClock
    from streamer.engines.base import Failure
    from streamer.engines.opening import open_engine
    from streamer.voices import Voice, Voices

    clock = SystemClock()
    with closing(open_engine(settings.engine, clock)) as engine:
        profile, voice = engine.profile, Voice(name="check")
        if profile.about:
            yield _Line("ok", f"{profile.name}: {profile.about}")
        if profile.clones:
            voices = Voices.load(settings.voices.file)
            yield from _unprompted(settings, voices)
            names = [voices.default, *voices.with_prompts]
            voice = next((found for name in names if (found := voices.get(name)) and found.prompt), voice)
            if voice.prompt is None:
                return
        report = _spoken(engine, voice, clock)
    if report is None:
        yield _Line("failed", f"{profile.name} did not speak {_SENTENCE!r} within {profile.step_limit:.0f} s")
    elif isinstance(report, Failure):
        yield _Line("failed", f"{profile.name} could not speak {_SENTENCE!r}: {report.message}")
    else:
        seconds = len(report.samples) / profile.sample_rate
        yield _Line("ok", f"{profile.name} ({profile.revision}) spoke {_SENTENCE!r}, {seconds:.1f} s")


def _unprompted(settings: Settings, voices: Voices) -> Iterator[_Line]:
    """The presets that an engine which clones cannot speak in."""
    lacking = [name for name in voices.names if name not in voices.with_prompts]
    if not voices.with_prompts:
        file = settings.voices.file
        remedy = "give the default one prompt_audio and prompt_text there (docs/voices.md)"
        yield _Line("failed", f"it clones voices, and no preset of {file} has a prompt: {remedy}")
    elif lacking:
        yield _Line("warning", f"no prompt to clone: {', '.join(lacking)}; requests for them fail as voice_unknown")


def _spoken(engine: Synthesizer, voice: Voice, clock: Clock) -> Speech | Failure | None:
    """None: not within the limit of one step."""
    from streamer.engines.base import Utterance

    engine.submit(Utterance(text=_SENTENCE, voice=voice, seed=0))
    end = clock.monotonic() + engine.profile.step_limit
    while clock.monotonic() < end:
        for report in engine.step():
            return report
    return None


def _bridge(settings: Settings) -> Iterator[_Line]:
    """Address and token; on any port, for the bridge itself may be running on its own."""
    from streamer.bridge import serving

    bridge = settings.bridge
    serving.listen(settings.model_copy(update={"bridge": bridge.model_copy(update={"port": 0})})).close()
    access = "token required" if bridge.token else "no token, and reachable from this machine only"
    yield _Line("ok", f"{bridge.host}:{bridge.port}, {access}")
