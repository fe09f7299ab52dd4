"""The worker's journal: its log lines and metrics about records."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.observe.logs import COMMITTED, DURABLE, RECEIVED, STARTED, Log
from streamer.observe.metrics import Metrics
from streamer.records import Outcome
from streamer.worker.ledger import Settled
from streamer.worker.task import Task

_NAME = 200
"""Characters of an id or a source that are logged; no valid one is longer."""
_STATES = {"ok": "completed"} | {outcome.value: "replayed" for outcome in Outcome}


class Journal:
    """RECEIVED, STARTED, DURABLE and COMMITTED with task_id and trace_id; `audible` False saves even making them."""

    def __init__(self, log: Log, metrics: Metrics, *, audible: bool) -> None:
        self.log, self.metrics, self._audible = log, metrics, audible

    def received(self, tasks: Sequence[Task]) -> None:
        self.metrics.received.inc(len(tasks))
        if self._audible:
            for task in tasks:
                self._say(RECEIVED, task)

    def started(self, tasks: Sequence[Task]) -> None:
        if self._audible:
            for task in tasks:
                self._say(STARTED, task, attempt=task.attempts + 1)

    def durable(self, task: Task, state: str) -> None:
        if self._audible:
            self._say(DURABLE, task, state=state)

    def ended(self, partition: int, ended: Sequence[Settled]) -> None:
        """Their transaction was committed."""
        codes: dict[str, int] = {}
        for settled in ended:
            codes[settled.code] = codes.get(settled.code, 0) + 1
            if self._audible:
                self.log.info(
                    COMMITTED,
                    task_id=settled.task_id[:_NAME],
                    trace_id=settled.trace_id,
                    topic=settled.message.topic if settled.message else None,
                    partition=partition,
                    code=settled.code,
                )
        for code, count in codes.items():
            if code == "duplicate":
                self.metrics.duplicates.inc(count)
            else:
                self.metrics.results.labels(_STATES.get(code, "failed"), code).inc(count)

    def _say(self, event: str, task: Task, **fields: object) -> None:
        self.log.info(
            event,
            task_id=task.claim.identity.id[:_NAME],
            trace_id=task.trace_id,
            source=task.claim.identity.source[:_NAME],
            partition=task.record.partition.number,
            offset=task.record.offset,
            **fields,
        )
