"""`streamer worker`: speak requests, under a supervisor."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings
    from streamer.worker.start import Allowed


@click.command()
@click.option("--instance", help="Name of this worker, unique in its group. Default: host name and slot.")
@click.option(
    "--processes", type=click.IntRange(0, 64), help="Worker processes, 0: one a GPU; instead of worker.processes."
)
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
        _work(settings, instance or "", process, accept_duplicates, accept_loss)
    return _supervise(settings, instance, settings.worker.processes if processes is None else processes)


def _supervise(settings: Settings, instance: str | None, processes: int) -> int:
    import os
    import subprocess

    from streamer.cli.placement import places
    from streamer.clock import SystemClock
    from streamer.engines.glm.gpus import Nvml
    from streamer.launch import dying_with_parent
    from streamer.observe.logs import logger
    from streamer.worker.supervisor import Supervisor, arguments

    log = logger(settings.log.level, settings.log.format)
    environment, cores = dict(os.environ), os.cpu_count() or 1
    placed = places(settings.engine, processes, Nvml(), environment, cores=cores, log=log)
    given, slots = sys.argv[1:], len(placed)
    host = socket.gethostname()
    name = instance or (host if slots > 1 else f"{host}-0")

    def start(slot: int, again: bool) -> subprocess.Popen[str]:
        # What an operator accepts holds for the start that he looks at, not for every restart after it.
        wanted = [argument for argument in given if not (again and argument.startswith("--accept-"))]
        command = arguments([sys.executable, "-m", "streamer", *wanted], name, slot, slots)
        variables = {**environment, **placed[slot]}
        return subprocess.Popen(dying_with_parent(command), stdout=subprocess.PIPE, text=True, env=variables)

    drain_timeout = settings.worker.drain_timeout + settings.worker.revoke_timeout + 5
    supervisor = Supervisor(start, slots, SystemClock(), log, drain_timeout=drain_timeout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    return supervisor.run(lambda: click.echo("ready"))


def _work(settings: Settings, instance: str, slot: int, accept_duplicates: bool, accept_loss: bool) -> NoReturn:
    """One worker process."""
    from streamer.cli.engine_room import leave
    from streamer.worker.start import Allowed

    leave(
        f"streamer worker {instance}", lambda: _run(settings, instance, slot, Allowed(accept_duplicates, accept_loss))
    )


def _run(settings: Settings, instance: str, slot: int, allowed: Allowed) -> int:
    import threading

    from prometheus_client import CollectorRegistry, start_http_server

    from streamer.cli.engine_room import engine_room
    from streamer.clock import SystemClock
    from streamer.errors import EXIT_DONE
    from streamer.observe.logs import logger
    from streamer.observe.metrics import Metrics
    from streamer.wire.opening import open_codecs
    from streamer.worker.assembly import assemble
    from streamer.worker.running import run

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    clock, log = SystemClock(), logger(settings.log.level, settings.log.format).bind(instance=instance)
    codecs = open_codecs(settings, clock, "completed", "failed")
    metrics = Metrics(CollectorRegistry())
    if settings.worker.metrics_port:
        start_http_server(settings.worker.metrics_port + slot, "127.0.0.1", metrics.registry)
    with engine_room(settings, codecs, clock, log, metrics) as surroundings:
        run(
            assemble(surroundings, settings, instance, allowed),
            settings.kafka.topics.requests,
            stopping.is_set,
            lambda: click.echo("ready"),
            clock=clock,
            drain_timeout=settings.worker.drain_timeout,
            log=log,
        )
    return EXIT_DONE
