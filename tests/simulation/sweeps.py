"""`streamer gc`: audio that no verdict names is taken away once it is old, by the shipped parts."""

from __future__ import annotations

from streamer.store.base import Entry, Store
from streamer.store.garbage import Garbage
from tests.simulation.faults import Striker

OUTAGE = 20.0
"""Seconds of the longest outage: of everything at once, or of one call to the store."""
BOUND = 60.0
"""Seconds after which an audio without a verdict is garbage: more than an attempt lasts that meets an outage or two."""


class Sweeps:
    """Sweeps the store now and then."""

    def __init__(self, store: Store, striker: Striker) -> None:
        self._store, self._striker = store, striker

    def sweep(self) -> None:
        """Errors: those of the store."""
        garbage = Garbage(self._store, self._striker.clock.now() - BOUND)
        for found in garbage.found(lambda: False):
            if not isinstance(found, Entry):
                raise TypeError(f"a verdict that cannot be read: {found}")
            if garbage.take(found):
                self._striker.seen.add("garbage taken")
