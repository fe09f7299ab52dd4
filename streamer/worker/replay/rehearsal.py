"""What a run would do, from the records of its ranges and what stands about them; nothing is spoken or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor

import msgspec

from streamer.errors import SchemaNotLoaded
from streamer.kafka.base import Partition, Reader, Record
from streamer.worker.replay.inquiry import Current, Inquiry
from streamer.worker.replay.run import Range
from streamer.worker.task import Task, TaskReader
from streamer.worker.tenure import Tenure

_POLL = 0.5
_BATCH = 500


class Forecast(msgspec.Struct):
    """Counts of records."""

    again: int = 0
    """That would be made again."""
    otherwise: dict[str, int] = {}
    """That would not: by outcome and reason."""


class Rehearsal:
    """Errors: those of the broker and of the store; RegistryUnavailable."""

    def __init__(
        self, reader: Reader, tasks: TaskReader, load: Callable[[int], None], inquiry: Inquiry, pool: Executor
    ) -> None:
        """`reader` begins where the ranges do. `inquiry`: of a run that writes nothing. `load` asks for a schema.
        `pool`: many look-ups at once, as each may be a question to another machine."""
        self._reader, self._tasks, self._load, self._inquiry, self._pool = reader, tasks, load, inquiry, pool

    def forecast(self, ranges: Mapping[Partition, Range]) -> Forecast:
        forecast = Forecast()
        ends = {partition: range.end for partition, range in ranges.items()}
        while not self._reader.has_read(ends):
            records = self._reader.poll(_BATCH, _POLL)
            tasks = [self._task(record) for record in records if record.offset < ends[record.partition]]
            for found in self._pool.map(self._inquiry.of, tasks):
                if isinstance(found, Current):
                    forecast.again += 1
                else:
                    why = ", ".join([found.outcome, *(cause.reason for cause in found.causes)])
                    forecast.otherwise[why] = forecast.otherwise.get(why, 0) + 1
        return forecast

    def _task(self, record: Record) -> Task:
        while True:
            try:
                return self._tasks.read(Tenure(record.partition), record)
            except SchemaNotLoaded as error:
                self._load(error.schema_id)
