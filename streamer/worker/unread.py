"""Records that cannot be read yet: they name a schema that has to be asked of the registry first.

Each id is asked for once, in the pool, and again while the registry is away. Meanwhile the records stay open in their
ledgers and count as load, and their partitions are paused; once the schema is here, they are received as if they had
just come. They belong to their tenures and die with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streamer.clock import Clock
from streamer.errors import RegistryUnavailable
from streamer.kafka.base import Record
from streamer.worker.backoff import Backoff
from streamer.worker.journal import Journal
from streamer.worker.pool import Loading
from streamer.worker.tenure import Tenure

_COST_OF_A_BYTE = 2
"""Of a text that nobody has seen: about what a letter costs (engines.base.estimated_tokens)."""


class Unread:
    def __init__(self, load: Callable[[int], None], clock: Clock, journal: Journal) -> None:
        self._load, self._journal = load, journal
        self._records: dict[int, dict[Tenure, list[Record]]] = {}
        self._new: list[Loading] = []
        self._backoff: Backoff[Loading] = Backoff(clock)
        self._asked: set[int] = set()
        self.cost = 0
        self.count = 0

    def hold(self, schema_id: int, tenure: Tenure, record: Record) -> None:
        self._records.setdefault(schema_id, {}).setdefault(tenure, []).append(record)
        self._account((record,), 1)
        if schema_id not in self._asked:
            self._asked.add(schema_id)
            self._new.append(Loading(schema_id, self._load))

    def holds(self, tenure: Tenure) -> bool:
        return any(tenure in waiting for waiting in self._records.values())

    def jobs(self) -> list[Loading]:
        """For the pool, now."""
        jobs = [*self._new, *self._backoff.due()]
        self._new = []
        return jobs

    def unavailable(self, loading: Loading, error: RegistryUnavailable) -> None:
        """The registry is away: ask again later, for as long as somebody waits."""
        if loading.schema_id not in self._records:
            self._asked.discard(loading.schema_id)
            return
        self._journal.metrics.registry_retries.inc()
        if seconds := self._backoff.wait(loading):
            self._journal.log.warning(
                "Schema Registry unavailable, backing off",
                schema=loading.schema_id,
                records=self.count,
                error=str(error),
                seconds=seconds,
            )

    def loaded(self, schema_id: int) -> dict[Tenure, list[Record]]:
        """The schema is here: what waited for it, in the order in which it came."""
        self._backoff.went_well()
        self._asked.discard(schema_id)
        waiting = self._records.pop(schema_id, {})
        for records in waiting.values():
            self._account(records, -1)
        return waiting

    def drop(self, tenure: Tenure) -> None:
        for schema_id, waiting in list(self._records.items()):
            self._account(waiting.pop(tenure, ()), -1)
            if not waiting:
                del self._records[schema_id]

    def _account(self, records: Iterable[Record], sign: int) -> None:
        for record in records:
            self.cost += sign * (1 + _COST_OF_A_BYTE * len(record.value or b""))
            self.count += sign
