"""Deleting what is kept of one identity: its audio goes, and of its verdicts tombstones stay."""

from __future__ import annotations

from typing import NamedTuple

from streamer.identity import Identity
from streamer.store.base import Store
from streamer.store.verdicts import Verdict, Verdicts, generation_of


class Buried(NamedTuple):
    """What was deleted."""

    verdicts: list[Verdict]
    """As they stood before, oldest first; empty where nothing was decided, or all was deleted before."""
    objects: int
    """Audio files, those of attempts that lost included."""


class Kept(NamedTuple):
    """What stands of one identity."""

    verdicts: list[Verdict]
    """Tombstones among them, oldest first."""
    objects: int
    """Audio files."""


def kept(store: Store, identity: Identity) -> Kept:
    """Errors: those of the store."""
    return Kept(_all(Verdicts(store), identity), len(_files(store, identity)))


def bury(store: Store, identity: Identity, now: int) -> Buried:
    """Tombstones first, then the audio: whoever meets a verdict meanwhile finds its audio or the tombstone.

    Whoever writes a further verdict (a redrive's worker, a promoting replay) reads the one before it again afterwards,
    and buries its own where that is a tombstone; so either they see this, or it sees theirs in its last look.
    `now` in milliseconds since the epoch. Errors: those of the store; begun anew it goes on.
    """
    verdicts = Verdicts(store)
    buried: list[Verdict] = []
    objects = 0
    standing = _standing(verdicts, identity)
    while True:
        for verdict in standing:
            verdicts.bury(verdict, now)
        buried += standing
        files = _files(store, identity)
        for key in files:
            store.delete(key)
        objects += len(files)
        # One that came after the last look may have named, and found, a file that is gone now.
        standing = _standing(verdicts, identity)
        if not standing:
            return Buried(buried, objects)


def _files(store: Store, identity: Identity) -> list[str]:
    return [key for key in store.list(f"{identity.folder}/") if generation_of(key) is None]


def _standing(verdicts: Verdicts, identity: Identity) -> list[Verdict]:
    return [verdict for verdict in _all(verdicts, identity) if not verdict.deleted]


def _all(verdicts: Verdicts, identity: Identity) -> list[Verdict]:
    return sorted(verdicts.within(identity.folder), key=lambda verdict: verdict.generation)
