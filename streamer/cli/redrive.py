"""`streamer redrive`: send what failed again, each failure once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streamer.cli import times
from streamer.cli.main import configured
from streamer.records import FailureCode

if TYPE_CHECKING:
    from contextlib import ExitStack

    from streamer.cli.failed_topic import FailedTopic
    from streamer.errors import StreamerError
    from streamer.settings import Settings
    from streamer.worker.redrive.choice import Choice
    from streamer.worker.redrive.redriver import Redriver

_TIMEOUT = 30.0
_POLL = 0.5
_BATCH = 500
_INTERRUPTED = 130


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every failure that a redrive may help.")
@click.option(
    "--code",
    "codes",
    multiple=True,
    type=click.Choice([code.value for code in FailureCode]),
    help="Failures of this code. May be given again.",
)
@click.option("--id", "id_", metavar="ID", help="Failures of this id.")
@click.option("--source", help="With --id: of this source only.")
@click.option(
    "--since", callback=times.since, metavar="TIME", help="What failed since: 30s, 15m, 2h, 1d ago, or a date."
)
@click.option("--yes", is_flag=True, help="Send them. Otherwise only say what would be sent.")
@configured
def command(
    settings: Settings,
    everything: bool,
    codes: tuple[str, ...],
    id_: str | None,
    source: str | None,
    since: int | None,
    yes: bool,
) -> int:
    """Send failed requests again as they were, with key, headers and trace: what would be sent and what is left, by
    code and reason, and with --yes done.

    --code, --id and --since narrow each other. --all and --since take the codes that a redrive may help; any other is
    named with --code or --id. id_conflict and deleted are never sent. A failure is redriven once,
    however often this is run.
    """
    from contextlib import ExitStack

    from streamer.cli.signals import Stop
    from streamer.errors import StreamerError

    choice, stopped, problem = _choice(everything, codes, id_, source, since), Stop(), None
    with ExitStack() as stack:
        redriver, failures = _opened(settings, choice, yes, stack)
        try:
            while not (stopped() or failures.at_end()):
                redriver.take(failures.poll(_POLL, _BATCH))
        except StreamerError as error:
            problem = error
        return _concluded(redriver, failures, yes, problem)


def _choice(everything: bool, codes: tuple[str, ...], id_: str | None, source: str | None, since: int | None) -> Choice:
    """Errors: click.UsageError."""
    from streamer.worker.redrive.choice import NEVER, Choice

    narrowed = bool(codes) or id_ is not None or since is not None
    if everything and narrowed:
        raise click.UsageError("--all takes no --code, --id or --since: each of them chooses by itself")
    if not (everything or narrowed):
        raise click.UsageError("give --all, or any of --code, --id and --since")
    if source is not None and id_ is None:
        raise click.UsageError("--source belongs to --id")
    for code in codes:
        if why := NEVER.get(FailureCode(code)):
            raise click.UsageError(f"--code {code}: {why}")
    return Choice(codes=frozenset(codes), id=id_, source=source, since=since)


def _opened(settings: Settings, choice: Choice, yes: bool, stack: ExitStack) -> tuple[Redriver, FailedTopic]:
    """`stack` closes them. Errors: those of the broker, the store and the registry; StoreMismatch, NotInitialised."""
    from concurrent.futures import ThreadPoolExecutor

    from streamer.cli.failed_topic import FailedTopic
    from streamer.clock import SystemClock
    from streamer.kafka.base import Partition
    from streamer.kafka.bounded import BoundedReader
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.store.groups import Groups
    from streamer.store.opening import open_store
    from streamer.store.verdicts import Verdicts
    from streamer.wire.opening import open_codecs
    from streamer.worker.assembly import request_topic
    from streamer.worker.redrive.assessor import Assessor
    from streamer.worker.redrive.originals import Originals
    from streamer.worker.redrive.redriver import Redriver
    from streamer.worker.redrive.sending import Sending
    from streamer.worker.task import TaskReader

    clock, broker = SystemClock(), ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format))
    admin = broker.admin()
    cluster, topic = admin.cluster_id(_TIMEOUT), request_topic(admin, settings)
    codecs, store = open_codecs(settings, clock), open_store(settings.store)
    stack.callback(store.close)
    Groups(store).store_id()  # in a store that is not the workers' no failure was decided
    assessor = Assessor(
        Verdicts(store),
        Originals(broker, clock),
        TaskReader(codecs.requests, cluster, topic.id, lambda _: None),
        codecs.requests.load,
        clock,
        topic.name,
    )
    sending = None
    if yes:
        publisher = broker.publisher()
        stack.callback(publisher.close)
        sending = Sending(publisher)
    threads = stack.enter_context(ThreadPoolExecutor(settings.store.threads))
    name = settings.kafka.topics.failed
    found = admin.topics([name], _TIMEOUT)[name]
    partitions = [Partition(name, number) for number in range(found.partitions if found else 0)]
    ends = admin.ends(partitions, _TIMEOUT)
    # What the redrive itself leads to comes behind them.
    reader = BoundedReader(broker.reader_from(dict.fromkeys(partitions, 0)), ends)
    failures = FailedTopic(name, reader, codecs.failed, clock)
    stack.callback(failures.close)
    return Redriver(choice, assessor, threads, sending), failures


def _concluded(redriver: Redriver, failures: FailedTopic, yes: bool, problem: StreamerError | None) -> int:
    """Wait for acks and say what was done; the exit code."""
    from streamer.errors import EXIT_DONE, EXIT_FAILED, StreamerError
    from streamer.worker.redrive.assessor import Fate

    unknown, report = 0, redriver.report
    try:
        unknown = redriver.finish(_TIMEOUT)
    except StreamerError as error:
        problem = problem or error
    lines = list(report.lines(dry=not yes))
    for line in lines:
        click.echo(line)
    if failures.undecodable:
        _say(f"{failures.undecodable} entries of {failures.topic} are no failures; first: {failures.example}")
    sent, unsent = report.total(Fate.SEND), report.total(Fate.LOST) + report.total(Fate.UNSENT) + unknown
    if unknown:
        _say(f"unknown of {unknown} whether Kafka took them")
    if problem is not None:
        _say(str(problem))
    if not yes:
        _say(f"nothing was sent; --yes sends {sent}" if sent else "nothing to send")
    else:
        _say(f"{sent} sent")
    if failures.at_end() and problem is None:
        if not lines:
            _say(f"no failure on {failures.topic} matches")
        return EXIT_FAILED if yes and unsent else EXIT_DONE
    _say("stopped before the end of the failures; run it again: what was sent is not redriven twice")
    return _INTERRUPTED if problem is None else problem.exit_code


def _say(line: str) -> None:
    click.echo(f"streamer: {line}", err=True)
