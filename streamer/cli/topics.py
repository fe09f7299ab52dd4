"""`streamer topics`: create the topics, initialise the group, and check both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings

_TIMEOUT = 30.0


@click.command()
@configured
def command(settings: Settings) -> int:
    """Create the topics that are missing, give the group its start, and check what is there. Run it again any time.

    With schema_registry.url the four schemas are registered first.
    """
    import uuid

    from streamer.clock import SystemClock
    from streamer.errors import EXIT_NEVER_RESTART
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.kafka.topology import ensure
    from streamer.observe.logs import logger
    from streamer.store.opening import open_store
    from streamer.wire.opening import open_codecs
    from streamer.worker.initialise import initialise

    admin = ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format)).admin()
    admin.cluster_id(_TIMEOUT / 3)  # whether it is there
    open_codecs(settings, SystemClock(), "requests", "completed", "failed", "replayed")
    findings = ensure(admin, settings.kafka, _TIMEOUT)
    for finding in findings:
        click.echo(f"streamer: {finding}", err=True)
    for line in initialise(admin, open_store(settings.store), settings, uuid.uuid4()):
        click.echo(line)
    if any(finding.severity == "error" for finding in findings):
        return EXIT_NEVER_RESTART
    names = settings.kafka.topics
    click.echo(f"topics {', '.join(names.model_dump().values())} are ready for group {settings.kafka.group}")
    return 0
