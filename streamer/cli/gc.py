"""`streamer gc`: delete audio that no verdict names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from streamer.cli import times
from streamer.cli.main import configured

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.settings import Settings
    from streamer.store.base import Entry
    from streamer.store.garbage import Garbage, Unread

_EXAMPLES = 5
_MARGIN = 10
_LEAST = 3_600.0
"""Seconds; for clocks that differ, and jobs that wait for a store that is away."""


@click.command()
@click.option(
    "--older-than",
    default="7d",
    show_default=True,
    callback=times.since,
    metavar="TIME",
    help="Leave what was written since: 12h or 7d ago, or a date.",
)
@click.option("--yes", is_flag=True, help="Delete it. Otherwise only say what would be deleted.")
@configured
def command(settings: Settings, older_than: int, yes: bool) -> int:
    """Say which audio files no verdict names and nobody has written for a while, and with --yes delete them: what
    attempts left that died or lost to another's, and replays that promoted nothing. Nothing else is ever deleted.

    Exit 1 where a verdict cannot be read (its folder is left alone), and after Ctrl-C.
    """
    from streamer.cli.signals import Stop
    from streamer.clock import SystemClock
    from streamer.errors import EXIT_DONE, EXIT_FAILED
    from streamer.store.garbage import Garbage
    from streamer.store.groups import Groups
    from streamer.store.opening import open_store

    before = older_than / 1000
    _check(settings, SystemClock().now() - before)
    store, stopped, account = open_store(settings.store), Stop(), _Account(yes)
    try:
        Groups(store).store_id()  # that it is the workers'
        try:
            _sweep(Garbage(store, before), stopped, account, yes)
        finally:
            account.tell(stopped())
    finally:
        store.close()
    return EXIT_FAILED if account.left or stopped() else EXIT_DONE


def _sweep(garbage: Garbage, stopped: Callable[[], bool], account: _Account, yes: bool) -> None:
    from streamer.errors import StoreRejected
    from streamer.store.garbage import Unread

    for found in garbage.found(stopped):
        if stopped():
            return
        if isinstance(found, Unread):
            account.leave(found)
            continue
        try:
            if not yes or garbage.take(found):
                account.add(found)
        except StoreRejected as error:
            account.leave(Unread(found.key.rpartition("/")[0], str(error)))


def _check(settings: Settings, age: float) -> None:
    """Errors: ConfigurationError where a worker may still be about to write the verdict of what is so young."""
    from streamer.errors import ConfigurationError
    from streamer.store.opening import patience

    job = settings.worker.call_limit + patience(settings.store)
    least = max(_LEAST, _MARGIN * job)
    if age < least - 1:  # the moment that passed since the command line was read
        raise ConfigurationError(
            [
                f"--older-than: {age:.0f} s is too young: from its audio to its verdict a worker may take {job:.0f} s "
                f"(worker.call_limit, and what store.timeout allows); give {least:.0f}s or more"
            ]
        )


class _Account:
    """What was found and taken so far."""

    def __init__(self, yes: bool) -> None:
        self.left = 0
        """Folders left alone."""
        self._yes = yes
        self._files = self._bytes = self._folders = 0
        self._last = ""

    def add(self, entry: Entry) -> None:
        folder = entry.key.rpartition("/")[0]
        self._folders += folder != self._last  # those of one folder follow each other
        self._last = folder
        self._files += 1
        self._bytes += entry.size
        if self._files <= _EXAMPLES:
            written = datetime.fromtimestamp(entry.modified, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            click.echo(f"  {entry.key}  {entry.size:,} bytes, written {written}")
        elif self._files == _EXAMPLES + 1:
            click.echo("  …")

    def leave(self, unread: Unread) -> None:
        self.left += 1
        click.echo(f"streamer: {unread.folder} is left alone: {unread.reason}", err=True)

    def tell(self, interrupted: bool) -> None:
        done = "deleted" if self._yes else "would be deleted"
        of = f"{self._files:,} file(s), {self._bytes:,} bytes, of {self._folders:,} folder(s)"
        click.echo(f"{'interrupted; ' if interrupted else ''}{of} {done}")
        if self._files and not self._yes:
            click.echo("nothing was deleted: run it again with --yes")
