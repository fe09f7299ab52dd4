"""`streamer kafka`: an embedded Apache Kafka until SIGTERM or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".streamer/kafka"),
    show_default=True,
    help="Folder of its data; used again by the next start.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=None,
    help="Port on 127.0.0.1. Default: that of the last time, or 9092. 0: that of the last time, or any free one.",
)
@configured
def command(_settings: Settings, data: Path, port: int | None) -> None:
    """Run an embedded Apache Kafka, for demo and tests. Prints `ready 127.0.0.1:PORT` when it answers."""
    from streamer.cli.signals import Interruption
    from streamer.embedded.broker import EmbeddedKafka

    broker = EmbeddedKafka(data, port)
    broker.start()  # dies with this process, should a signal come before the next line
    interrupted = Interruption()
    try:
        broker.ready(watch=interrupted)
        click.echo(f"ready {broker.bootstrap_servers}")
        broker.wait(interrupted)
    except KeyboardInterrupt:
        pass  # asked to stop
    finally:
        broker.stop()
