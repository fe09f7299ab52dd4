"""`streamer replay`: make the audio of a range again, to compare it or to promote it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured
from streamer.errors import EXIT_DONE, EXIT_FAILED

if TYPE_CHECKING:
    from streamer.cli.signals import Stop
    from streamer.kafka.base import Broker
    from streamer.settings import Settings
    from streamer.store.base import Store
    from streamer.worker.replay.joining import Asked, Joining
    from streamer.worker.replay.progress import Progress
    from streamer.worker.replay.rehearsal import Forecast
    from streamer.worker.replay.run import Run
    from streamer.worker.replay.summary import Summary
    from streamer.worker.replay.watch import Watch

_CALL = 10.0
_INTERRUPTED = 130


@click.command()
@click.argument("name", required=False)
@click.option("--from", "begin", metavar="X", help="First offset or time (ISO 8601; without a zone, local time).")
@click.option("--to", "end", metavar="Y", help="Exclusive, likewise. Default: the present end.")
@click.option("--partition", "partitions", type=int, multiple=True, help="Only these partitions; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Everything that is in the topic now.")
@click.option("--id", help="Only the record of this id, at its latest generation.")
@click.option("--source", help="The source that the id belongs to.")
@click.option("--verify", is_flag=True, help="Only compare; write no audio.")
@click.option("--promote", is_flag=True, help="What differs becomes the job's current audio.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done; change nothing.")
@click.option("--restart", is_flag=True, help="Begin the run anew, with a range of now.")
@click.option("--instance", help="Name of this process, unique in the run. Default: host name and process id.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@configured
def command(settings: Settings, dry_run: bool, instance: str | None, as_json: bool, **given: object) -> int:
    """Make the audio of a range of requests again, from their records, and tell what came out on tts.replayed.

    The first process of a NAME fixes its range; each later one with that NAME joins it, shares its work, or goes on
    where it was killed. Without NAME it is made from the options, so that the same command is the same run.

    Exit 0: something was checked, and nothing differs or failed. 1: something does, or nothing was checked.
    """
    from streamer.cli.engine_room import leave
    from streamer.cli.replay_options import Options, asked

    wanted = asked(Options(**given))  # type: ignore[arg-type]  # click made them
    office = _Office(settings)
    if dry_run:
        return office.rehearse(wanted)
    run = office.run(wanted)
    if run is not None:
        # Unlike a worker's, whose restart must fence the process before it: a second process under one NAME is there
        # to help. What a killed one leaves open, its transaction's timeout ends.
        own = instance or f"{socket.gethostname()}-{os.getpid()}"
        leave("streamer replay", lambda: office.work(run, own, as_json))
    return EXIT_FAILED


class _Office:
    """What a replay needs beside the engine. Errors: NotInitialised, StoreMismatch, BrokerUnreachable."""

    def __init__(self, settings: Settings) -> None:
        from streamer.clock import SystemClock
        from streamer.kafka.base import Partition
        from streamer.kafka.confluent import ConfluentBroker
        from streamer.observe.logs import logger
        from streamer.store.groups import Groups
        from streamer.store.opening import open_store
        from streamer.worker.assembly import request_topic
        from streamer.worker.replay.run import Runs

        # A line for each record would hide what the command itself tells: that is for debugging.
        level = "warning" if settings.log.level == "info" else settings.log.level
        self._settings = settings.model_copy(update={"log": settings.log.model_copy(update={"level": level})})
        names = settings.kafka.topics
        self._clock, self._log = SystemClock(), logger(level, settings.log.format)
        self._broker: Broker = ConfluentBroker(settings.kafka, self._log)
        self._admin = self._broker.admin()
        self._store: Store = open_store(settings.store)
        self._topic = request_topic(self._admin, settings, names.replayed)
        self._store_id = Groups(self._store).store_id()
        self._runs = Runs(self._store, self._topic.id, settings.kafka.group)
        replayed = self._admin.topics([names.replayed], _CALL)[names.replayed]
        self._partitions = [
            Partition(names.replayed, number) for number in range(replayed.partitions if replayed else 0)
        ]

    def run(self, asked: Asked) -> Run | None:
        """The run to work at, told; None: there is nothing to be replayed."""
        from streamer.cli.replay_output import flags, tell_ranges

        joining = self._joining()
        found = joining.find(asked)
        if found.new and not any(range.size for range in found.run.ranges.values()):
            tell_ranges(found.run, self._topic.name)
            click.echo("streamer: there is nothing to be replayed; no run was begun", err=True)
            return None
        run = joining.begin(asked, found)
        click.echo(f"run {run.label}: {flags(run)}", err=True)
        tell_ranges(run, self._topic.name)
        return run

    def work(self, run: Run, instance: str, as_json: bool) -> int:
        """Until every partition of the run is committed, by whichever process."""
        from streamer.cli.replay_output import print_summary
        from streamer.cli.signals import Stop

        stopped = Stop()
        summary = self._runs.summary(run)
        if summary is not None:
            click.echo(f"run {run.label} is finished; `--restart` begins it anew", err=True)
        else:
            summary = self._worked(run, instance, stopped)
        if summary is None:
            click.echo(f"interrupted; `streamer replay {run.name}` goes on with run {run.label}", err=True)
            return _INTERRUPTED
        print_summary(run, summary, self._topic.name, as_json=as_json)
        return EXIT_DONE if summary.clean else EXIT_FAILED

    def _worked(self, run: Run, instance: str, stopped: Stop) -> Summary | None:
        """What came of the run; None: stopped before it was finished."""
        watch = self._watch(run)
        if not watch.finished():
            self._speak(run, instance, watch, stopped)
        if not watch.finished():
            return None
        summary = watch.conclude(stopped)
        return None if summary is None else self._runs.conclude(run, summary)

    def _speak(self, run: Run, instance: str, watch: Watch, stopped: Stop) -> None:
        from prometheus_client import CollectorRegistry

        from streamer.cli.engine_room import engine_room
        from streamer.observe.metrics import Metrics
        from streamer.wire.opening import open_codecs
        from streamer.worker.assembly import assemble_replay
        from streamer.worker.running import run as turn

        log = self._log.bind(instance=instance)
        codecs = open_codecs(self._settings, self._clock, "replayed")
        with engine_room(self._settings, codecs, self._clock, log, Metrics(CollectorRegistry())) as surroundings:
            watch.start()
            turn(
                assemble_replay(surroundings, self._settings, run, instance),
                self._topic.name,
                lambda: _told(stopped(), self._settings.worker.drain_timeout) or watch.over(),
                lambda: None,
                clock=self._clock,
                drain_timeout=self._settings.worker.drain_timeout,
                log=log,
            )
            watch.close()

    # Its parts

    def rehearse(self, asked: Asked) -> int:
        """Tell what would be done."""
        from streamer.cli.replay_output import flags, print_forecast, tell_ranges

        run, new = self._joining().find(asked)
        click.echo(f"run {run.label}{' would be begun' if new else ''}: {flags(run)}", err=True)
        tell_ranges(run, self._topic.name)
        if not new:
            standing = self._progress(run).look(_CALL)
            click.echo(f"{standing.done:,} of {standing.total:,} offsets are done", err=True)
        print_forecast(self._forecast(run))
        return EXIT_DONE

    def _forecast(self, run: Run) -> Forecast:
        """Reads the records and what stands about them."""
        from concurrent.futures import ThreadPoolExecutor

        from streamer.kafka.base import Partition
        from streamer.render.events import Events
        from streamer.voices import Voices
        from streamer.wire.opening import open_codecs
        from streamer.worker.replay.inquiry import Inquiry
        from streamer.worker.replay.rehearsal import Rehearsal
        from streamer.worker.task import TaskReader

        settings, requests = self._settings, open_codecs(self._settings, self._clock).requests
        events = Events.load(settings.events.file, Voices.load(settings.voices.file))
        ranges = {Partition(self._topic.name, number): range for number, range in run.ranges.items() if range.size}
        with ThreadPoolExecutor(settings.store.threads) as pool:
            return Rehearsal(
                self._broker.reader_from({partition: range.begin for partition, range in ranges.items()}),
                TaskReader(requests, self._admin.cluster_id(_CALL), self._topic.id, events.ttl),
                requests.load,
                Inquiry(self._store, run, self._clock, writes=False),
                pool,
            ).forecast(ranges)

    def _joining(self) -> Joining:
        from streamer.store.verdicts import Verdicts
        from streamer.worker.replay.joining import Joining
        from streamer.worker.replay.resolver import Resolver

        now = self._clock.now
        resolver = Resolver(self._admin, self._topic, Verdicts(self._store), now)
        group = self._settings.kafka.group
        return Joining(self._runs, resolver, self._admin, self._partitions, self._progress, group=group, now=now)

    def _progress(self, run: Run) -> Progress:
        from streamer.worker.metadata import MetadataCodec
        from streamer.worker.replay.progress import Progress
        from streamer.worker.replay.starts import anew

        codec = MetadataCodec(self._store_id, self._topic.id, anew(run))
        return Progress(self._admin, codec, run, self._settings.kafka.group, self._topic.name)

    def _watch(self, run: Run) -> Watch:
        from streamer.cli.replay_output import display
        from streamer.downstream.follow import Follower
        from streamer.wire.opening import open_codecs
        from streamer.worker.replay.tally import Tally
        from streamer.worker.replay.watch import Watch

        follower = Follower(
            self._broker.reader_from({p: run.replayed_from.get(p.number, 0) for p in self._partitions}),
            {self._settings.kafka.topics.replayed: open_codecs(self._settings, self._clock).replayed},
            self._clock,
            undecodable=lambda record, reason: None,  # not of this run, nor of any
            waiting=lambda reason: click.echo(f"streamer: waiting for a schema: {reason}", err=True),
        )
        show = display(self._clock)
        return Watch(
            self._progress(run), follower, self._admin, self._partitions, Tally(run), show, self._clock, self._log
        )


def _told(stopping: bool, bound: float) -> bool:
    """`stopping`, said once it is so: what was begun is finished first, within `bound` seconds."""
    if stopping:
        click.echo(f"finishing what was begun, at most {bound:g} s; a second Ctrl-C ends at once", err=True)
    return stopping
