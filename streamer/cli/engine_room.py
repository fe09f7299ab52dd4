"""What every process that speaks is made of, around its worker, and how it leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from streamer.clock import Clock
    from streamer.observe.logs import Log
    from streamer.observe.metrics import Metrics
    from streamer.settings import Settings
    from streamer.wire.base import Codecs
    from streamer.worker.assembly import Surroundings


@contextmanager
def engine_room(settings: Settings, codecs: Codecs, clock: Clock, log: Log, metrics: Metrics) -> Iterator[Surroundings]:
    """A running engine, a pool, a watchdog over both, and the clients. Errors: ConfigurationError (voices, rules,
    store), EngineError."""
    from streamer.engines.opening import open_engine
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.render.events import Events
    from streamer.store.opening import open_store, patience
    from streamer.voices import Voices
    from streamer.worker.assembly import Surroundings
    from streamer.worker.liveness import Liveness, Watchdog
    from streamer.worker.pool import ThreadPool
    from streamer.worker.synthesis import EngineThread

    voices = Voices.load(settings.voices.file)
    events = Events.load(settings.events.file, voices)
    store = open_store(settings.store)
    engine_thread = EngineThread(lambda: open_engine(settings.engine, clock, log), clock)
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
    try:
        yield Surroundings(
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
        )
    finally:
        engine_thread.close(timeout=2)  # it has child processes
        pool.close(timeout=2)  # what was interrupted is still to be said; what else there is ends with this process


def leave(name: str, work: Callable[[], int]) -> NoReturn:
    """Do the work and end the process with its exit code; errors become one line each, behind `name`.

    By `os._exit`: librdkafka's own clean-up has been seen to block.
    """
    import traceback

    from streamer.errors import EXIT_FAILED, ConfigurationError, StreamerError

    try:
        code = work()
    except ConfigurationError as error:
        code = error.exit_code
        for problem in error.problems:
            click.echo(f"{name}: {problem}", err=True)
    except StreamerError as error:
        code = error.exit_code
        click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
    except Exception:  # noqa: BLE001 - a defect of ours; whatever it is, the process must not linger
        code = EXIT_FAILED
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
