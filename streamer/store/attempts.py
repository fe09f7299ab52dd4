"""Attempts: which records of a partition are under way from the engine to their durable verdict, noted where no crash
of a process, and no loss of its machine, can lose it.

A record that kills its worker leaves nothing behind but this note. Whoever opens the partition next reads it: what
stands there and is not finished is a suspect, and is tried in ever smaller company; a worker that died over a record
that was alone there is charged to that record. The note decides nothing else: without it no result is lost or doubled,
and a poisonous record takes some more deaths to be found.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from streamer.errors import StoreRejected
from streamer.store.base import Store

_VERSION = 1


class Suspect(msgspec.Struct, frozen=True):
    """A record that was under way when a worker died."""

    company: int
    """How many were under way with it then, itself included."""
    charges: int = 0
    """How many workers died while it was alone."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker says of one partition."""

    version: int = _VERSION
    under_way: list[int] = []
    """Offsets."""
    company: int = 0
    """Records under way in all partitions of the worker; 1 only where nothing else could join."""
    suspects: dict[int, Suspect] = {}
    """By offset: those of earlier deaths that are not finished, under way or not."""

    @property
    def alone(self) -> bool:
        return self.company == 1 and bool(self.under_way)

    def accused(self) -> dict[int, Suspect]:
        """By offset: who is a suspect if the worker that noted this died."""
        found = dict(self.suspects)
        for offset in self.under_way:
            charges = found[offset].charges if offset in found else 0
            found[offset] = Suspect(self.company, charges + self.alone)
        return found


class Attempts:
    """The notes of a group in a topic, one object a partition: `groups/<topic id>/g-<group>/<partition>-attempts.json`.

    Thread safe. Errors: those of the store.
    """

    def __init__(self, store: Store, topic_id: uuid.UUID, group: str) -> None:
        self._store = store
        self._folder = f"groups/{topic_id}/g-{quote(group, safe='')}"

    def page(self, partition: int, before: Page | None = None) -> Page:
        """For one tenure of a partition. `before`: of the last tenure of it in this process, which has ended."""
        return Page(self._store, f"{self._folder}/{partition}-attempts.json", before)


class Page:
    """Where one tenure notes its partition's attempts.

    Two workers may hold a page of one partition, for one that was evicted may not know it yet. Whichever writes last
    stands, until the other's next round. That is benign. If the owner dies over a record just then, that death is not
    counted, or counted for whom the evicted one was trying alone: the next deaths are counted, and an innocent record
    would have to meet with it `engine.attempts` times, alone each time, to fail.
    """

    def __init__(self, store: Store, key: str, before: Page | None) -> None:
        self._store, self._key, self._before = store, key, before
        self._turn = threading.RLock()  # of its jobs one runs at a time
        self._suspects: Mapping[int, Suspect] = {}
        self._written = b""
        self._ended = False
        self._clearing = False

    def read(self) -> Note:
        """What whoever had the partition before left there. Errors: StoreRejected where this version cannot read it."""
        if self._before is not None:
            self._before.clear()
            self._before = None
        data = self._store.get(self._key)
        if data is None:
            return Note()
        try:
            note = msgspec.json.decode(data, type=Note)
        except msgspec.DecodeError as error:
            raise StoreRejected(f"{self._key} is an unreadable note of attempts ({error})") from error
        if note.version > _VERSION:
            raise StoreRejected(f"{self._key} has version {note.version}, newer than {_VERSION}")
        return note

    def write(self, note: Note) -> None:
        """In place of what stands there; nothing once the tenure has ended."""
        with self._turn:
            if self._ended:
                return
            self._suspects = note.suspects
            self._written = msgspec.json.encode(note)  # before it is tried: it may stand though the answer was lost
            self._store.replace(self._key, self._written)

    def end(self, *, clearing: bool) -> None:
        """The tenure is over. `clearing`: what was under way was interrupted, and the note is to be taken back, by
        `clear`; else it stands, for the worker may still die of it."""
        self._clearing = clearing and not self._ended
        self._ended = True

    def clear(self) -> None:
        """Nothing is under way any longer: suspects stay what they were, and nobody is charged. Once, and only where
        the tenure's own note stands: another worker may have begun."""
        with self._turn:
            if self._clearing and self._written and self._store.get(self._key) == self._written:
                self._store.replace(self._key, msgspec.json.encode(Note(suspects=dict(self._suspects))))
            self._clearing = False
