"""Faults of one history: what strikes, how often it did, and whether a record was admitted and uncommitted then."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from streamer.clock import ManualClock
from streamer.errors import OutcomeUnknown, RegistryUnavailable, Retriable, StoreRejected, StoreUnavailable
from streamer.kafka.memory import Faults
from streamer.store.memory import MemoryStore
from streamer.wire.registry import Found
from streamer.wire.schemas import Schema
from tests.simulation.workload import REFUSED, SCHEMA_ID

FAULTS = (
    "crash",
    "crash in transaction",
    "rebalance",
    "lost",
    "tenure comes back",
    "duplicate over partitions",
    "deploy between attempts",
    "engine slow",
    "engine fails",
    "engine breaks",
    "store slow",
    "store unavailable",
    "store answer lost",
    "commit unknown, done",
    "commit unknown, not done",
    "commit retried",
    "metadata refused",
    "expired while waiting",
    "transaction timed out",
    "membership lost in transaction",
    "speech flawed",
    "registry away",
    "event not wanted",
    "time to live ran out",
    "template mended between attempts",
)


_RARE = (
    "commit unknown, done",
    "commit unknown, not done",
    "commit retried",
    "transaction timed out",
    "membership lost in transaction",
    "registry away",
)
"""They can only strike in a transaction, or where a schema is asked for, of which a history has few. In order: each
draws its rate from the seed."""


class Crash(BaseException):
    """SIGKILL: nothing of ours may catch it."""


class Striker(Faults):
    """Decides for every operation of the acting worker whether something goes wrong. Quiet once `calm`."""

    def __init__(self, rng: random.Random, clock: ManualClock) -> None:
        self.rng, self.clock = rng, clock
        self.calm = False
        self.seen: set[str] = set()
        self.holding: Callable[[], bool] = lambda: False
        """Whether the acting worker has a record admitted and uncommitted."""
        self.acting = False
        self.elsewhere: Callable[[], None] = lambda: None
        """Stop the acting process past its session while the others go on."""
        self._in_transaction = False
        # A history has some kinds of trouble and not others, so that each also meets undisturbed neighbours.
        self._rates = {fault: rng.choice([0, 0.05, 0.2]) for fault in FAULTS}
        self._rates |= {fault: rng.choice([0, 0.25, 0.5]) for fault in _RARE}
        self._rates["commit unknown, done"] *= 1.5  # asked last, when most commits have met another
        self._rates["crash"] = rng.choice([0, 0.005, 0.02])

    def strikes(self, fault: str, factor: float = 1.0) -> bool:
        if self.calm or not self.acting or self.rng.random() >= self._rates[fault] * factor:
            return False
        self.note(fault)
        return True

    def note(self, fault: str) -> None:
        if self.holding():
            self.seen.add(fault)

    def crash_point(self) -> None:
        if self.strikes("crash"):
            raise Crash
        if self._in_transaction and self.strikes("crash in transaction"):
            raise Crash

    # kafka.memory.Faults

    def before(self, operation: str) -> None:
        if operation in ("begin", "commit", "abort", "init"):
            self._in_transaction = operation == "begin"
        self.crash_point()
        if operation in ("begin", "produce", "send_offsets") and self.strikes("membership lost in transaction", 0.3):
            self.elsewhere()
        if operation == "commit":
            if self.strikes("commit retried"):
                raise Retriable("commit: injected")
            if self.strikes("commit unknown, not done"):
                raise OutcomeUnknown("commit: injected, not done")
            if self.strikes("transaction timed out"):
                self.clock.advance(11)
        elif operation == "committed" and self.strikes("commit retried"):
            raise Retriable("committed: injected")

    def after(self, operation: str) -> None:
        if operation == "commit":
            self.crash_point()
            if self.strikes("commit unknown, done"):
                raise OutcomeUnknown("commit: injected, done")

    def notices_eviction(self) -> bool:
        return self.rng.random() < 0.3

    def rejoins_before_lost(self) -> bool:
        return self.rng.random() < 0.5

    def fetches_before_rebalance(self) -> bool:
        return self.rng.random() < 0.3


class FaultyRegistry:
    """A registry that knows one schema; when it is away, it is for a while."""

    url = "sim:"

    def __init__(self, striker: Striker, schema: Schema) -> None:
        self._striker, self._schema = striker, schema
        self._back_at = 0.0

    def schema(self, schema_id: int) -> Found | None:
        """See wire.confluent.Schemas."""
        self._striker.crash_point()
        now = self._striker.clock.monotonic()
        if self._striker.strikes("registry away"):
            self._back_at = now + self._striker.rng.choice([0.1, 2.0])
        if now < self._back_at and not self._striker.calm:
            raise RegistryUnavailable("injected")
        return Found("AVRO", json.dumps(self._schema), ()) if schema_id == SCHEMA_ID else None


class FaultyStore(MemoryStore):
    """The store's twin, with trouble."""

    def __init__(self, striker: Striker) -> None:
        super().__init__(striker.clock.now)
        self._striker = striker

    def put(self, key: str, data: bytes, download_name: str | None = None) -> bool:
        self._trouble()
        written = super().put(key, data)
        self._written(key)
        return written

    def replace(self, key: str, data: bytes, download_name: str | None = None) -> None:
        self._trouble()
        if key.endswith(".wav") and REFUSED.encode() in data:
            raise StoreRejected(f"{key}: injected")
        super().replace(key, data)
        self._written(key)

    def delete(self, key: str) -> None:
        self._trouble()
        super().delete(key)
        self._written(key)

    def _written(self, key: str) -> None:
        self._striker.crash_point()
        if self._striker.strikes("store answer lost"):
            raise StoreUnavailable(f"put {key}: injected, written")

    def get(self, key: str) -> bytes | None:
        self._trouble()
        return super().get(key)

    def _trouble(self) -> None:
        self._striker.crash_point()
        if self._striker.strikes("store unavailable"):
            raise StoreUnavailable("injected")
