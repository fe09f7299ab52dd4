"""Faults of one history: what strikes, how often it did, and whether a record was admitted and uncommitted then."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamer.clock import ManualClock
from streamer.errors import OutcomeUnknown, RegistryUnavailable, Retriable
from streamer.identity import Identity
from streamer.kafka.memory import Faults
from streamer.wire.registry import Found
from streamer.wire.schemas import Schema
from tests.simulation.workload import SCHEMA_ID

SESSION = 6.0
"""Seconds without a poll after which a member is evicted."""

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
    "store call interleaved",
    "killed between audio and verdict",
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
    "rebalance in a replay",
    "lost in a replay",
    "replay killed",
    "published behind a range",
    "a range that ends with a marker",
    "replayed by another engine",
    "promoted",
    "two runs at once",
    "deleted and replayed",
    "deleted",
    "poison kills with neighbours",
    "poison kills alone",
    "poison kills at the store",
    "redrive stands still",
    "redrive killed",
    "two redrives at once",
    "redriven twice",
    "deleted at a further verdict",
    "garbage taken",
    "prompt unavailable",
)


_RARE = (
    "commit unknown, done",
    "commit unknown, not done",
    "commit retried",
    "transaction timed out",
    "membership lost in transaction",
    "registry away",
    "redrive stands still",
    "redrive killed",
    "gc overtaken",
    "deleted at a further verdict",
    "prompt unavailable",
)
"""They can only strike in a transaction, where a schema or a prompt is asked for, or a failure is sent again, of which
a history has few. In order: each draws its rate from the seed."""


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
        self.acting, self.actor = False, ""
        self.elsewhere: Callable[[float], None] = lambda seconds: None
        """The acting process stands still for these seconds, in the middle of a call, and the others go on."""
        self.interruptions = 0
        """Deaths and evictions that were no record's fault. Who takes over cannot tell them from others."""
        self.forget: Callable[[Identity], None] = lambda identity: None
        """Somebody deletes it just now."""
        self._in_transaction = False
        # A history has some kinds of trouble and not others, so that each also meets undisturbed neighbours.
        self._rates = {fault: rng.choice([0, 0.05, 0.2]) for fault in FAULTS}
        self._rates |= {fault: rng.choice([0, 0.25, 0.5]) for fault in _RARE}
        self._rates["commit unknown, done"] *= 1.5  # asked last, when most commits have met another
        self._rates["transaction timed out"] *= 1.3
        self._rates["speech flawed"] *= 1.5
        self._rates["crash"] = rng.choice([0, 0.005, 0.02])
        self._rates["store call interleaved"] = rng.choice([0, 0.03])

    def strikes(self, fault: str, factor: float = 1.0) -> bool:
        if self.calm or not self.acting or self.rng.random() >= self._rates[fault] * factor:
            return False
        self.note(fault)
        return True

    def note(self, fault: str) -> None:
        if self.holding():
            self.seen.add(fault)

    def crash_point(self, factor: float = 1.0) -> None:
        if self.strikes("crash", factor) or (self._in_transaction and self.strikes("crash in transaction")):
            self.interruptions += 1
            raise Crash

    @contextmanager
    def troubling(self, actor: str, holding: Callable[[], bool], elsewhere: Callable[[float], None]) -> Iterator[None]:
        """Whatever is called within belongs to one process."""
        before = self.acting, self.actor, self.holding, self.elsewhere
        self.acting, self.actor, self.holding, self.elsewhere = True, actor, holding, elsewhere
        try:
            yield
        finally:
            self.acting, self.actor, self.holding, self.elsewhere = before

    @contextmanager
    def storm(self) -> Iterator[None]:
        """Faults, also where all is calm by now."""
        before, self.calm = self.calm, False
        try:
            yield
        finally:
            self.calm = before

    @contextmanager
    def calmly(self) -> Iterator[None]:
        """No further faults within a fault."""
        before = self.acting, self.calm
        self.acting, self.calm = False, True
        try:
            yield
        finally:
            self.acting, self.calm = before

    # kafka.memory.Faults

    def before(self, operation: str) -> None:
        if operation in ("begin", "commit", "abort", "init"):
            self._in_transaction = operation == "begin"
        self.crash_point()
        if operation in ("begin", "produce", "send_offsets") and self.strikes("membership lost in transaction", 0.3):
            self.elsewhere(SESSION + 1)
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
