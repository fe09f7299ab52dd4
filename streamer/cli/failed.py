"""`streamer failed`: what failed, grouped by its code."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from streamer.cli import times
from streamer.cli.main import configured
from streamer.records import FailureCode

if TYPE_CHECKING:
    from streamer.downstream.failures import Failures, Group
    from streamer.settings import Settings

_POLL = 0.5
_BATCH = 500
_SHOWN = 200
"""Characters of a message in the table."""


@click.command()
@click.option("--code", type=click.Choice([code.value for code in FailureCode]), help="Only this code.")
@click.option(
    "--since", callback=times.since, metavar="TIME", help="Only what failed since: 30s, 15m, 2h, 1d ago, or a date."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a code, also on a terminal.")
@configured
def command(settings: Settings, code: str | None, since: int | None, as_json: bool) -> int:
    """Read the failures from the beginning to their present end and group them by code: how many, whether a redrive
    may help, since when and until when, and the latest one as an example.

    A table on a terminal, else one JSON object a code; times there are milliseconds since the epoch.
    """
    import msgspec

    from streamer.downstream.failures import Failures
    from streamer.errors import EXIT_DONE

    failures = Failures(code, since or 0)
    undecodable, example = _read(settings, failures)
    topic = settings.kafka.topics.failed
    if not failures.groups:
        click.echo(
            f"streamer: no such failures on {topic}" if code or since else f"streamer: {topic} is empty", err=True
        )
    elif as_json or not sys.stdout.isatty():
        for group in failures.groups:
            click.echo(msgspec.json.encode(group))
    else:
        _print(failures.groups, topic)
    if undecodable:
        click.echo(f"streamer: {undecodable} entries of {topic} are no failures; first: {example}", err=True)
    return EXIT_DONE


def _read(settings: Settings, failures: Failures) -> tuple[int, str]:
    """All there is. How many could not be decoded, and the first. Errors: RegistryUnavailable, those of the broker."""
    from streamer.cli.failed_topic import FailedTopic
    from streamer.cli.signals import Stop
    from streamer.clock import SystemClock
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.wire.opening import open_codecs

    stopped, clock = Stop(), SystemClock()
    broker = ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format))
    name = settings.kafka.topics.failed
    reader = broker.reader([name], from_beginning=True)
    topic = FailedTopic(name, reader, open_codecs(settings, clock).failed, clock)
    try:
        while not stopped():
            results = topic.poll(_POLL, _BATCH)
            for failed in results:
                failures.add(failed)
            if not results and topic.at_end():  # it asks the broker: only once nothing comes
                break
    finally:
        topic.close()
    return topic.undecodable, topic.example


def _print(groups: list[Group], topic: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=topic, title_justify="left")
    table.add_column("code", no_wrap=True, min_width=max(len(group.code) for group in groups))
    table.add_column("count", justify="right", no_wrap=True)
    for column in ("redrive may help", "first", "last"):
        table.add_column(column)
    table.add_column("latest", overflow="fold")
    for group in groups:
        cells = [
            group.code,
            f"{group.count:,}",
            "yes" if group.retryable else "no",
            _time(group.first_failed_at),
            _time(group.last_failed_at),
            f"{group.source}/{group.id}: {group.message[:_SHOWN]}",
        ]
        table.add_row(*map(Text, cells))
    Console().print(table)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
