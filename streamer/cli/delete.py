"""`streamer delete`: delete a person's audio, and say until when the topics keep their copies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from streamer.bodies import SOURCE
from streamer.cli.main import configured

if TYPE_CHECKING:
    from streamer.identity import Identity
    from streamer.kafka.base import Topic
    from streamer.settings import Settings
    from streamer.store.deletion import Buried
    from streamer.store.verdicts import Verdict

_TIMEOUT = 5.0


@click.command()
@click.option("--id", "id_", required=True, metavar="ID", help="Of the request.")
@click.option(
    "--source",
    default=SOURCE,
    show_default=True,
    help="Whose id it is; the default is that of requests which named none to the bridge.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@configured
def command(settings: Settings, id_: str, source: str, dry_run: bool) -> int:
    """Delete the audio of an id, of all its generations, and what its verdicts say of it, without asking again. What
    stays is a tombstone: who asked and for what is kept as hashes, so that the same request is not spoken again.

    Then says until when the topics keep their copies of the text. Exit 1 where nothing is decided for this id: a
    request may be on its way, and is not covered; run it again once it is done.
    """
    from streamer.clock import SystemClock
    from streamer.errors import EXIT_DONE, EXIT_FAILED
    from streamer.identity import Identity
    from streamer.store.deletion import Buried, bury, kept
    from streamer.store.groups import Groups
    from streamer.store.opening import open_store

    store, identity = open_store(settings.store), Identity(source, id_)
    try:
        Groups(store).store_id()  # that it is the workers'
        found = kept(store, identity)
        if not found.verdicts:
            _tell_undecided(identity)
            return EXIT_FAILED
        living = [verdict for verdict in found.verdicts if not verdict.deleted]
        gone = Buried(living, found.objects) if dry_run else bury(store, identity, int(SystemClock().now() * 1000))
    finally:
        store.close()
    last = max(verdict.decided_at for verdict in (*found.verdicts, *gone.verdicts))
    _tell(identity, gone, last, "would be deleted" if dry_run else "deleted")
    if settings.store.url.startswith("s3:") and not dry_run:
        click.echo("A bucket that keeps versions still has them, for as long as its own rules say.")
    _tell_topics(settings, last)
    return EXIT_DONE


def _tell_undecided(identity: Identity) -> None:
    click.echo(
        f"streamer: nothing was deleted: no verdict on id {identity.id[:200]!r} of source {identity.source[:200]!r}. "
        "A request that is on its way is not covered: run this again once it is done. Is --source right?",
        err=True,
    )


def _tell(identity: Identity, gone: Buried, last: int, done: str) -> None:
    """`last`: when the last verdict, or tombstone, was written that was found."""
    named = f"{identity.id} of {identity.source}"
    if not gone.verdicts:
        rest = f"; {gone.objects} file(s) that were left {done}" if gone.objects else ""
        click.echo(f"{named} was deleted already, {_date(last)}{rest}")
        return
    click.echo(f"{named}: {gone.objects} file(s) {done}")
    for verdict in gone.verdicts:
        promoted = f", promoted by the replay {verdict.run}" if verdict.run else ""
        click.echo(
            f"  generation {verdict.generation}: {_state(verdict)}, decided {_date(verdict.decided_at)}{promoted}"
        )


def _state(verdict: Verdict) -> str:
    from streamer.store.verdicts import Completed

    state = verdict.state
    return "completed" if isinstance(state, Completed) else f"failed ({state.code})"


def _tell_topics(settings: Settings, decided_at: int) -> None:
    """Where no broker answers, that is said: the deletion counts all the same."""
    from streamer.errors import BrokerError, ConfigurationError
    from streamer.kafka.confluent import ConfluentBroker
    from streamer.observe.logs import logger

    names = list(settings.kafka.topics.model_dump().values())
    try:
        broker = ConfluentBroker(settings.kafka, logger(settings.log.level, settings.log.format))
        topics = broker.admin().topics(names, _TIMEOUT)
    except (BrokerError, ConfigurationError) as error:
        again = "run this again to ask once more"
        click.echo(f"streamer: until when the topics keep their copies is unknown: {error}; {again}", err=True)
        return
    click.echo("Kafka keeps what stands on its topics, the text among it, until it expires there:")
    for name, topic in topics.items():
        click.echo(f"  {name}: {_kept_until(topic, decided_at)}")
    click.echo(
        "Counted from the last verdict. Whatever is written later (a result that was not committed yet, a replay) "
        "counts from then."
    )


def _kept_until(topic: Topic | None, decided_at: int) -> str:
    from streamer.kafka.expiry import gone_by

    if topic is None:
        return "there is no such topic"
    until = gone_by(topic, decided_at)
    if until is None:
        return "for ever; set retention.ms and cleanup.policy=delete with kafka-configs"
    return f"until {_date(until)} at the latest"


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
