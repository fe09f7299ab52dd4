"""`streamer submit`: publish requests from a JSONL file."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings

_REACH = 5.0
"""Seconds that Kafka has to answer before the first line is read."""


@click.command()
@click.argument("file", type=click.File("rb"), metavar="FILE.jsonl|-")
@configured
def command(settings: Settings, file: IO[bytes]) -> int:
    """Publish one request a line and print its id once Kafka has it, in the order of the lines.

    A wrong line is told on standard error and the others still go. Exit 1 if any line was wrong or not acknowledged,
    or where Kafka does not answer at the start; 2 where the topic does not exist: then nothing was sent.
    """
    import os
    import uuid

    from streamer.cli.signals import Stop
    from streamer.clock import SystemClock
    from streamer.errors import EXIT_DONE, EXIT_FAILED, ConfigurationError
    from streamer.intake.jsonl import Intake
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.submission import Submissions
    from streamer.wire.opening import open_codecs

    clock = SystemClock()
    encode = open_codecs(settings, clock, "requests").requests.encode
    broker = ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format))
    topic = settings.kafka.topics.requests
    if broker.admin().topics([topic], _REACH)[topic] is None:
        raise ConfigurationError([f"topic {topic} does not exist; run `streamer topics`, or set kafka.topics.requests"])
    publisher = broker.publisher()
    try:
        report = Intake(
            publisher,
            Submissions(topic, clock, lambda: str(uuid.uuid4()), os.urandom, encode),
            clock,
            accepted=click.echo,
            complain=lambda line: click.echo(f"streamer: {line}", err=True),
            stopped=Stop(),
        ).run(file)
    finally:
        publisher.close()
    return EXIT_FAILED if report.failed else EXIT_DONE
