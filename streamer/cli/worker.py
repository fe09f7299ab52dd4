"""`streamer worker`: speak requests, under a supervisor."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings
    from streamer.worker.start import Allowed


@click.command()
@click.option("--instance", help="Name of this worker, unique in its group. Default: host name and slot.")
@click.option("--processes", type=click.IntRange(1, 64), help="Worker processes; instead of worker.processes.")
@click.option("--accept-duplicates", is_flag=True, help="Read partitions whose commits are lost from their beginning.")
@click.option("--accept-loss", is_flag=True, help="Go on where retention has deleted what was not finished.")
@click.option("--process", type=int, hidden=True, help="Be the process of this slot, without a supervisor.")
@configured
def command(
    settings: Settings,
    instance: str | None,
    processes: int | None,
    accept_duplicates: bool,
    accept_loss: bool,
    process: int | None,
) -> int:
    """Take requests from Kafka, speak them, commit the results. Prints `ready` once it is a member of its group."""
    if process is not None:
        return _work(settings, instance or "", process, accept_duplicates, accept_loss)
    slots = processes or settings.worker.processes
    name = instance or socket.gethostname()
    return _supervise(settings, name if instance or slots > 1 else f"{name}-0", slots)


def _supervise(settings: Settings, instance: str, slots: int) -> int:
    import subprocess

    from streamer.clock import SystemClock
    from streamer.launch import dying_with_parent
    from streamer.observe.logs import logger
    from streamer.worker.supervisor import Supervisor, arguments

    given = sys.argv[1:]

    def start(slot: int, again: bool) -> subprocess.Popen[str]:
        # What an operator accepts holds for the start that he looks at, not for every restart after it.
        wanted = [argument for argument in given if not (again and argument.startswith("--accept-"))]
        command = arguments([sys.executable, "-m", "streamer", *wanted], instance, slot, slots)
        return subprocess.Popen(dying_with_parent(command), stdout=subprocess.PIPE, text=True)

    log = logger(settings.log.level, settings.log.format)
    drain_timeout = settings.worker.drain_timeout + settings.worker.revoke_timeout + 5
    supervisor = Supervisor(start, slots, SystemClock(), log, drain_timeout=drain_timeout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run(lambda: click.echo("ready"))


def _work(settings: Settings, instance: str, slot: int, accept_duplicates: bool, accept_loss: bool) -> int:
    """One worker process. Leaves by `os._exit`: librdkafka's own clean-up has been seen to block."""
    import traceback

    from streamer.errors import EXIT_FAILED, ConfigurationError, StreamerError
    from streamer.worker.start import Allowed

    try:
        _run(settings, instance, slot, Allowed(accept_duplicates, accept_loss))
    except ConfigurationError as error:
        code = error.exit_code
        for problem in error.problems:
            click.echo(f"streamer worker {instance}: {problem}", err=True)
    except StreamerError as error:
        code = error.exit_code
        click.echo(f"streamer worker {instance}: {type(error).__name__}: {error}", err=True)
    except Exception:  # noqa: BLE001 - a defect of ours; whatever it is, the process must not linger
        code = EXIT_FAILED
        traceback.print_exc()
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(settings: Settings, instance: str, slot: int, allowed: Allowed) -> None:
    import threading

    from prometheus_client import CollectorRegistry, start_http_server

    from streamer.clock import SystemClock
    from streamer.engines.opening import open_engine
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.observe.metrics import Metrics
    from streamer.render.events import Events
    from streamer.store.opening import open_store, patience
    from streamer.voices import Voices
    from streamer.wire.opening import open_codecs
    from streamer.worker.assembly import Surroundings, assemble
    from streamer.worker.liveness import Liveness, Watchdog
    from streamer.worker.pool import ThreadPool
    from streamer.worker.running import run
    from streamer.worker.synthesis import EngineThread

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    clock, log = SystemClock(), logger(settings.log.level, settings.log.format).bind(instance=instance)
    voices = Voices.load(settings.voices.file)
    events = Events.load(settings.events.file, voices)
    codecs = open_codecs(settings, clock, "completed", "failed")
    metrics = Metrics(CollectorRegistry())
    if settings.worker.metrics_port:
        start_http_server(settings.worker.metrics_port + slot, "127.0.0.1", metrics.registry)
    store = open_store(settings.store)
    engine_thread = EngineThread(lambda: open_engine(settings.engine, clock), clock)
    engine = engine_thread.start()
    liveness = Liveness(clock)
    pool = ThreadPool(settings.store.threads, clock, metrics.store_seconds)

    job_limit = settings.worker.call_limit + patience(settings.store)

    def stuck() -> str | None:
        began = engine.step_began
        if began is not None and clock.monotonic() - began > engine.profile.step_limit:
            return "an engine step"
        oldest = pool.oldest()
        if oldest is not None and clock.monotonic() - oldest > job_limit:
            return "a call to the store or the Schema Registry"
        return liveness.stuck()

    Watchdog(stuck)
    worker = assemble(
        Surroundings(
            broker=ConfluentBroker(settings.kafka, log),
            store=store,
            engine=engine,
            pool=pool,
            codecs=codecs,
            voices=voices,
            events=events,
            clock=clock,
            log=log,
            metrics=metrics,
            liveness=liveness,
        ),
        settings,
        instance,
        allowed,
    )
    try:
        run(
            worker,
            settings.kafka.topics.requests,
            stopping.is_set,
            lambda: click.echo("ready"),
            clock=clock,
            drain_timeout=settings.worker.drain_timeout,
            log=log,
        )
    finally:
        engine_thread.close(timeout=2)  # it has child processes; what else there is ends with this one
