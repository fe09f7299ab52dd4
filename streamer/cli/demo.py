"""`streamer demo`: an embedded Kafka, bridge and worker, and four sample requests through them."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.cli.children import Child
    from streamer.cli.samples import Outcome
    from streamer.cli.signals import Interruption
    from streamer.clock import Clock
    from streamer.settings import Settings

_LEAST_FREE = 500_000_000
_START = 120.0
"""Seconds for a part to get ready; Kafka after a crash needs 15 on an idle machine."""
_RESULTS = 90.0
_WATCH = 0.2


@click.command()
@click.option("--once", is_flag=True, help="Stop everything after the samples, instead of at Ctrl-C.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".streamer/demo"),
    show_default=True,
    help="Folder of its Kafka, store and logs; used again by the next start.",
)
@configured
def command(settings: Settings, once: bool, data: Path) -> int:
    """Start Kafka, bridge and worker, speak four sample requests, and stay up until Ctrl-C.

    Kafka and store are its own, below --data: kafka.bootstrap_servers, kafka.properties, kafka.replication and
    store.url are not used. Exit 0 when all four were spoken, else 1.
    """
    from streamer.cli.signals import Interruption
    from streamer.clock import SystemClock

    with ExitStack() as running:
        _prepare(settings, data, running)
        return _demo(settings, once, data, running, SystemClock(), Interruption())


def _demo(
    settings: Settings, once: bool, data: Path, running: ExitStack, clock: Clock, interrupted: Interruption
) -> int:
    from streamer.cli import demo_output
    from streamer.errors import EXIT_DONE, EXIT_FAILED

    parts = _start(settings, data, running, interrupted)
    found = _speak(parts, clock)
    demo_output.print_table(found, data / "audio", _RESULTS)
    if any(not outcome.spoken for outcome in found):
        _say(f"not all were spoken; the logs are in {data}: {', '.join(child.log.name for child in parts.children)}")
        return EXIT_FAILED
    if not once:
        click.echo(demo_output.invitation(parts.settings, parts.url, data))
        try:
            while True:
                parts.check()
                clock.sleep(_WATCH)
        except KeyboardInterrupt:
            _say("stopping")
    return EXIT_DONE


# What is needed before anything is started


def _prepare(settings: Settings, data: Path, running: ExitStack) -> None:
    from streamer.embedded import jars, java
    from streamer.errors import EmbeddedError

    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = running.enter_context((data / "lock").open("a"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        check_space(data, shutil.disk_usage(data).free)
    except BlockingIOError:
        raise EmbeddedError(
            f"another demo runs on {data}; stop it with Ctrl-C in its terminal, or give this one a folder and a port "
            "of its own: STREAMER_BRIDGE__PORT=0 streamer demo --data FOLDER"
        ) from None
    except OSError as error:
        raise EmbeddedError(f"the folder {data} cannot be used: {error}; choose another with --data") from error
    _check_bridge(settings)
    _say(f"Java: {java.find()}")
    jars.classpath()


def check_space(folder: Path, free: int) -> None:
    """Errors: EmbeddedError where `free` bytes are too few for a demo in `folder`."""
    from streamer.errors import EmbeddedError

    if free < _LEAST_FREE:
        raise EmbeddedError(
            f"the disk of {folder.absolute()} is full: {free // 1_000_000} MB are free, the demo needs "
            f"{_LEAST_FREE // 1_000_000} MB; free some, or choose another folder with --data"
        )


def _check_bridge(settings: Settings) -> None:
    """Before ten seconds went into starting Kafka. Errors: ConfigurationError."""
    from streamer.bridge import serving
    from streamer.errors import ConfigurationError

    try:
        serving.listen(settings).close()
    except ConfigurationError as error:
        remedy = "for the demo set STREAMER_BRIDGE__PORT=N to choose another port, STREAMER_BRIDGE__PORT=0 for any"
        raise ConfigurationError([*error.problems, remedy]) from error


# The parts


class _Parts(NamedTuple):
    """What runs: the settings that all share, the bridge's URL, and the processes."""

    settings: Settings
    url: str
    children: tuple[Child, ...]
    interrupted: Interruption

    def check(self) -> None:
        self.interrupted()
        for child in self.children:
            child.check()


def _start(settings: Settings, data: Path, running: ExitStack, interrupted: Interruption) -> _Parts:
    from functools import partial

    from streamer.cli import children

    child = partial(children.Child, logs=data, watch=interrupted)
    _say(f"starting Apache Kafka on {data / 'kafka'}")
    broker = ("--data", str(data / "kafka"), "--port", "0")
    kafka = running.enter_context(child("kafka", *broker, environment=_environment(settings), patience=15))
    settings = _own(settings, kafka.ready(_START), data)
    environment = _environment(settings)
    _say("creating the topics")
    with child("topics", environment=environment) as topics:
        topics.done(_START)
    _say(f"starting worker ({settings.engine.name}) and bridge")
    limits = settings.worker.drain_timeout + settings.worker.revoke_timeout + 10
    alone = ("--instance", "demo", "--processes", "1")
    worker = running.enter_context(child("worker", *alone, environment=environment, patience=limits))
    bridge = running.enter_context(child("bridge", environment=environment, patience=settings.bridge.drain_timeout + 5))
    url = bridge.ready(_START)
    worker.ready(_START)
    return _Parts(settings, url, (kafka, worker, bridge), interrupted)


def _own(settings: Settings, servers: str, data: Path) -> Settings:
    """The same settings on the demo's own Kafka and store."""
    kafka = {"bootstrap_servers": servers, "single_broker": True, "replication": 1, "properties": {}}
    store = {"url": (data.absolute() / "store").as_uri()}
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update=kafka),
            "store": settings.store.model_copy(update=store),
        }
    )


def _environment(settings: Settings) -> Mapping[str, str]:
    """Ours, with exactly these settings in it: a variable for each section, as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    return kept | {f"STREAMER_{name.upper()}": section.model_dump_json() for name, section in settings}


def _speak(parts: _Parts, clock: Clock) -> list[Outcome]:
    import secrets

    from streamer.cli import samples
    from streamer.downstream.follow import Decoder, Follower
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.records import Result
    from streamer.voices import Voices
    from streamer.wire.opening import open_codecs

    settings, names = parts.settings, parts.settings.kafka.topics
    voices = Voices.load(settings.voices.file).names
    broker = ConfluentBroker(settings.kafka, logger("error", "console"))
    codecs = open_codecs(settings, clock)
    decoders: dict[str, Decoder[Result]] = {names.completed: codecs.completed, names.failed: codecs.failed}
    follower = Follower(
        broker.reader(list(decoders), from_beginning=False),
        decoders,
        clock,
        undecodable=lambda record, reason: _say(f"{record.partition} offset {record.offset}: {reason}"),
        waiting=_say,
    )
    run = secrets.token_hex(3)
    try:
        _say(f"posting {len(samples.SAMPLES)} requests to {parts.url}/webhook/tts")
        posted = [
            samples.post(parts.url, settings.bridge.token, sample, run, voices, clock) for sample in samples.SAMPLES
        ]
        return samples.outcomes(follower, posted, clock, _RESULTS, parts.check)
    finally:
        follower.close()


def _say(line: str) -> None:
    click.echo(f"streamer demo: {line}", err=True)
