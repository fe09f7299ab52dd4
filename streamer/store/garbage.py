"""Garbage: audio that no verdict names, left by attempts that died before their verdict or lost to another's, and by
replays that kept what they did not promote.

A worker lets the age of its audio restart, writes the verdict, and then looks whether the audio is there. Here a file
is taken first, and then the verdicts are read again. So of the two who meet at a file that was old, one sees the other:
the worker writes it again, or it is put back here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, takewhile
from typing import NamedTuple

from streamer.errors import StoreError, StoreRejected
from streamer.store.base import Entry, Store
from streamer.store.keys import LEFTOVER
from streamer.store.verdicts import Completed, Verdict, Verdicts

_AUDIO = re.compile(r"[0-9a-f]{64}/[0-9a-f]{64}\.[0-9a-z]{1,8}").fullmatch
_LEFTOVER = re.compile(rf".+/{re.escape(LEFTOVER)}[0-9a-f]{{16}}", re.DOTALL).fullmatch


class Unread(NamedTuple):
    """A folder with a verdict that cannot be read: what it names is not known, so all of it stays."""

    folder: str
    reason: str


class Garbage:
    """What of a store no verdict names and nobody has written for a while. Nothing but audio, and what a crash left of
    replacing an object on a disk, is ever garbage.

    Errors: StoreUnavailable; begun anew it goes on.
    """

    def __init__(self, store: Store, before: float) -> None:
        """`before`: epoch seconds by the store's clock; what was written since stays."""
        self._store, self._verdicts, self._before = store, Verdicts(store), before

    def found(self, stopped: Callable[[], bool]) -> Iterator[Entry | Unread]:
        """Folder by folder; reads the verdicts of those alone that hold something old. Ends early once `stopped`."""
        entries = takewhile(lambda _: not stopped(), self._store.entries(""))
        for folder, group in groupby(entries, key=lambda entry: entry.key.rpartition("/")[0]):
            members = list(group)
            old = [entry for entry in members if self._old(entry)]
            yield from (entry for entry in old if _LEFTOVER(entry.key))
            audio = [entry for entry in old if not _LEFTOVER(entry.key)]
            if not audio:
                continue
            try:
                # As listed: a request each, and no second listing. Whatever came since, `take` looks for.
                named = _named(folder, self._verdicts.at(entry.key for entry in members))
            except StoreRejected as error:
                yield Unread(folder, str(error))
                continue
            yield from (entry for entry in audio if entry.key not in named)

    def take(self, entry: Entry) -> bool:
        """Delete what `found` gave. False where it was written again meanwhile, or a verdict names it by now.

        Errors: StoreRejected where a verdict of its folder became unreadable; it was put back.
        """
        key, folder = entry.key, entry.key.rpartition("/")[0]
        if not any(now.key == key and self._old(now) for now in self._store.entries(f"{folder}/")):
            return False
        if _LEFTOVER(key):
            self._store.delete(key)
            return True
        data = None if key in self._named(folder) else self._store.get(key)
        if data is None:
            return False
        self._store.delete(key)
        return not self._restored(key, folder, data)

    def _restored(self, key: str, folder: str, data: bytes) -> bool:
        """Put back what a verdict names that was written while it was taken; unless that was deleted meanwhile."""
        try:
            name = self._named(folder).get(key)
        except StoreError:
            self._store.put(key, data)
            raise
        if name is None:
            return False
        self._store.put(key, data, name)
        if key in self._named(folder):
            return True
        self._store.delete(key)
        return False

    def _named(self, folder: str) -> dict[str, str]:
        return _named(folder, self._verdicts.within(folder))

    def _old(self, entry: Entry) -> bool:
        """And of a kind that may be garbage."""
        return entry.modified < self._before and bool(_AUDIO(entry.key) or _LEFTOVER(entry.key))


def _named(folder: str, verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The keys of the audio that they name, and what a download of each is called."""
    named = {}
    for verdict in verdicts:
        if isinstance(verdict.state, Completed):
            key = f"{folder}/{verdict.state.audio.uri.rpartition('/')[2]}"
            named[key] = verdict.state.output_name or verdict.identity.id
    return named
