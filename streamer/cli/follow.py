"""`streamer follow`: print results as they are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.downstream.follow import Decoder
    from streamer.kafka.base import Record
    from streamer.records import Result, SpeechReplayed
    from streamer.settings import Settings
    from streamer.wire.base import Codecs

_POLL = 0.2
_BATCH = 500


@click.command()
@click.option("--from-beginning", is_flag=True, help="Also what was committed before.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many results.")
@click.option("--topic", type=click.Choice(["completed", "failed", "replayed"]), default="completed", show_default=True)
@configured
def command(settings: Settings, from_beginning: bool, count: int | None, topic: str) -> int:
    """Print committed results, one JSON object a line, with the fields of the schema (bytes as base64).

    Ends at Ctrl-C (exit 0), and once nobody reads its output any more (exit 1).
    """
    import msgspec

    from streamer.cli.output import Output
    from streamer.cli.signals import Stop
    from streamer.clock import SystemClock
    from streamer.downstream.follow import Follower
    from streamer.errors import EXIT_DONE
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.wire.opening import open_codecs

    def undecodable(record: Record, reason: str) -> None:
        click.echo(f"streamer: {record.partition} offset {record.offset}: {reason}", err=True)

    def waiting(reason: str) -> None:
        click.echo(f"streamer: waiting for a schema: {reason}", err=True)

    stopped, output, clock = Stop(), Output(), SystemClock()
    name, decoder = _chosen(settings, open_codecs(settings, clock), topic)
    broker = ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format))
    follower = Follower(
        broker.reader([name], from_beginning),
        {name: decoder},
        clock,
        undecodable=undecodable,
        waiting=waiting,
    )
    click.echo(f"following {name}", err=True)
    left = count
    try:
        while not stopped() and left != 0:
            output.check()
            for result in follower.poll(_POLL, _BATCH if left is None else min(left, _BATCH)):
                click.echo(msgspec.json.encode(result))
                left = None if left is None else left - 1
    finally:
        follower.close()
    if follower.undecodable:
        click.echo(f"streamer: {follower.undecodable} records could not be decoded", err=True)
    return EXIT_DONE


def _chosen(settings: Settings, codecs: Codecs, topic: str) -> tuple[str, Decoder[Result | SpeechReplayed]]:
    """The topic's name, and what reads it."""
    names = settings.kafka.topics
    if topic == "failed":
        return names.failed, codecs.failed
    if topic == "replayed":
        return names.replayed, codecs.replayed
    return names.completed, codecs.completed
