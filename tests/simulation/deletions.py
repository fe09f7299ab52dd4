"""`streamer delete`: some ids are to be forgotten, at any moment of their requests' way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streamer.identity import Identity
from streamer.store.base import Store
from streamer.store.deletion import bury
from streamer.store.verdicts import Verdicts
from tests.simulation.faults import Striker
from tests.simulation.topics import Topics


class Deletion(NamedTuple):
    """One that was carried out to its end."""

    decided: bool
    """There was a verdict before it began."""
    told: bool
    """Its result was committed, or a process may still tell what it had read in the store before: it may say completed.
    """


class Deletions:
    """`done`: by identity, the first of each that found something."""

    def __init__(self, store: Store, topics: Topics, striker: Striker, busy: Callable[[], bool]) -> None:
        """`busy`: whether any process holds a record."""
        self.done: dict[Identity, Deletion] = {}
        self._store, self._topics, self._striker, self._busy = store, topics, striker, busy

    def delete(self, identity: Identity) -> None:
        decided = Verdicts(self._store).read(identity, 1) is not None
        bury(self._store, identity, int(self._striker.clock.now() * 1000))
        answered = any((done.source, done.id) == (identity.source, identity.id) for done in self._topics.completed())
        if identity not in self.done or not self.done[identity].decided:
            self.done[identity] = Deletion(decided, answered or self._busy())
        if decided:
            self._striker.seen.add("deleted")
