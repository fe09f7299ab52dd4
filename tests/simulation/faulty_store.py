"""The store's twin, with trouble, and with a memory of what was decided in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from streamer.errors import StoreRejected, StoreUnavailable
from streamer.store.attempts import Note
from streamer.store.base import Entry
from streamer.store.memory import MemoryStore
from streamer.store.verdicts import Verdict, generation_of
from tests.simulation.faults import Crash, Striker
from tests.simulation.reference import REFERENCE
from tests.simulation.sweeps import OUTAGE
from tests.simulation.workload import CHOKER, REFUSED


class FaultyStore(MemoryStore):
    """Any call may fail, kill its process, or take so long that others get in between."""

    def __init__(self, striker: Striker) -> None:
        super().__init__(striker.clock.now)
        self._striker = striker
        self.decided: dict[str, bytes] = {}
        """Every verdict as it was first put, by its key."""
        self.alone: Counter[tuple[int, int]] = Counter()
        """How often a worker noted that a record was alone, by partition and offset."""
        self.writers: dict[str, set[str]] = {}
        """Who wrote what kind of object: the ends of keys, by the process."""

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        self._trouble()
        self._refuse(key, data)
        if (generation_of(key) or 0) > 1 and self._strikes_late("deleted at a further verdict"):
            self._striker.forget(msgspec.json.decode(data, type=Verdict).identity)
        written = super().put(key, data)
        if written and generation_of(key) is not None:
            self.decided[key] = data
        self._written(key)
        return written

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        self._trouble()
        self._refuse(key, data)
        super().replace(key, data)
        if key.endswith("-attempts.json") and "/g-streamer/" in key:
            note = msgspec.json.decode(data, type=Note)
            partition = int(key.rpartition("/")[2].removesuffix("-attempts.json"))
            if note.alone:
                self.alone[partition, note.under_way[0]] += 1
        if key.endswith(".wav") and self._striker.strikes("killed between audio and verdict", 2):
            self._striker.interruptions += 1
            raise Crash
        self._written(key)

    def delete(self, key: str) -> None:
        self._trouble()
        if self._striker.actor == "gc" and self._strikes_late("gc overtaken"):
            self._striker.elsewhere(0.0)
        super().delete(key)
        self._written(key)

    def get(self, key: str) -> bytes | None:
        self._trouble()
        if key == REFERENCE and self._striker.strikes("prompt unavailable"):
            raise StoreUnavailable("injected")
        return super().get(key)

    def list(self, prefix: str) -> Iterator[str]:
        self._trouble()
        return super().list(prefix)

    def entries(self, prefix: str) -> Iterator[Entry]:
        self._trouble()
        return super().entries(prefix)

    def _refuse(self, key: str, data: bytes) -> None:
        if key.endswith(".wav") and REFUSED.encode() in data:
            raise StoreRejected(f"{key}: injected")
        if key.endswith(".wav") and CHOKER.encode() in data:
            self._striker.note("poison kills at the store")
            raise Crash

    def _strikes_late(self, fault: str) -> bool:
        """Also once all else is calm: that is when most of what it strikes happens."""
        with self._striker.storm():
            struck = self._striker.strikes(fault)
        if struck:
            self._striker.seen.add(fault)
        return struck

    def _trouble(self) -> None:
        self._striker.crash_point()
        if self._striker.strikes("store call interleaved"):
            self._striker.elsewhere(self._striker.rng.choice([0.0, 0.0, 0.0, OUTAGE]))
        if self._striker.strikes("store unavailable"):
            raise StoreUnavailable("injected")

    def _written(self, key: str) -> None:
        self.writers.setdefault(self._striker.actor, set()).add(key.rpartition("/")[2])
        self._striker.crash_point()
        if self._striker.strikes("store answer lost"):
            raise StoreUnavailable(f"put {key}: injected, written")
