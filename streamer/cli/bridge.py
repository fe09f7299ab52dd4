"""`streamer bridge`: take webhooks and publish requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on; instead of bridge.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0 for any free one; instead of bridge.port.")
@configured
def command(settings: Settings, host: str | None, port: int | None) -> int:
    """Take requests over HTTP (POST /webhook/tts and others) and publish them; tell what became of them.

    GET /openapi.json describes every route. Prints `ready http://HOST:PORT` once it listens, on a store that
    `streamer topics` has initialised.
    """
    import os
    import uuid

    from prometheus_client import CollectorRegistry

    from streamer.bridge import serving
    from streamer.clock import SystemClock
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger
    from streamer.observe.metrics import Metrics
    from streamer.store.groups import Groups
    from streamer.store.opening import open_store
    from streamer.submission import Submissions
    from streamer.wire.opening import open_codecs

    chosen = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"bridge": settings.bridge.model_copy(update=chosen)})
    log, clock = logger(settings.log.level, settings.log.format), SystemClock()
    bound = serving.listen(settings)
    encode = open_codecs(settings, clock, "requests").requests.encode
    store = open_store(settings.store)
    Groups(store).store_id()  # in a store that is not the workers' no id is ever decided
    # The client gives up before the sender is told "unknown": what it did not send by then it never sends.
    broker = ConfluentBroker(settings.kafka, log, message_timeout=0.9 * settings.bridge.ack_timeout)
    parts = serving.Parts(
        settings,
        publisher=broker.publisher(),
        admin=broker.admin(),
        store=store,
        submissions=Submissions(settings.kafka.topics.requests, clock, lambda: str(uuid.uuid4()), os.urandom, encode),
        metrics=Metrics(CollectorRegistry()),
        clock=clock,
        log=log,
    )
    return serving.serve(parts, bound, lambda: click.echo(f"ready {serving.url(bound)}"))
