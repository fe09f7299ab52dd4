"""One worker process from its first turn to its last: signals, readiness, drain, and how it leaves."""

from __future__ import annotations

import gc
from collections.abc import Callable

from streamer.clock import Clock
from streamer.errors import BrokerError, StopWorker
from streamer.observe.logs import Log
from streamer.worker.loop import Worker

_STANDBY = 3.0
"""Seconds after which a worker is ready that no partition is left for; with the consumer protocol the client does not
say whether it is a member then."""


def run(
    worker: Worker,
    topic: str,
    stopping: Callable[[], bool],
    ready: Callable[[], None],
    *,
    clock: Clock,
    drain_timeout: float,
    log: Log,
) -> None:
    """Turn until `stopping`, then drain within its bound and leave the group. `ready` is called once it can take work.

    Errors: whatever ends a worker. Where a person must look, what is durable is committed and the group left first.
    """
    # What was loaded by now stays: keep the collector from walking it again and again, and from running for every few
    # hundred records in flight (a third of the time at full speed, measured in benchmarks/pipeline).
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    worker.begin(topic)
    begun, said = clock.monotonic(), False
    try:
        while not stopping():
            worker.turn()
            if not said and (worker.member or clock.monotonic() - begun > _STANDBY):
                said = True
                ready()
        deadline = clock.monotonic() + drain_timeout
        while not worker.drain():
            if clock.monotonic() >= deadline:
                log.warning("drain timed out; what is unfinished is left to other workers", records=worker.held)
                break
    except StopWorker:
        try:
            worker.close()
        except BrokerError as error:
            log.warning("the group could not be left in order", error=str(error))
        raise
    except BrokerError:
        worker.abandon()
        raise
    worker.close()
