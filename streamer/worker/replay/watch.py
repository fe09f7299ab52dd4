"""Watches a run from outside its worker: how far all its processes are, and what came of it so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from streamer.clock import Clock
from streamer.errors import BrokerUnreachable, Retriable
from streamer.kafka.base import Admin, Partition
from streamer.observe.logs import Log
from streamer.records import SpeechReplayed
from streamer.worker.replay.progress import Progress, Standing
from streamer.worker.replay.summary import Summary
from streamer.worker.replay.tally import Tally

_POLL = 0.2
_LOOK = 0.5
"""Seconds between two looks at the commits."""
_CALL = 10.0


class Replays(Protocol):
    """What is committed on the topic of replays, from where the run began."""

    def poll(self, timeout: float) -> Sequence[SpeechReplayed]: ...

    def has_read(self, ends: Mapping[Partition, int]) -> bool:
        """Whether everything below these offsets has been returned."""
        ...


class Watch:
    """A thread of its own, as each question to Kafka waits for its answer, and a worker's loop must not.

    A transaction's offsets may be seen committed before its results are: the run is over with the former, its summary
    with the latter.
    """

    def __init__(
        self,
        progress: Progress,
        replays: Replays,
        admin: Admin,
        partitions: Sequence[Partition],
        tally: Tally,
        show: Callable[[Standing, Summary], None],
        clock: Clock,
        log: Log,
    ) -> None:
        """`partitions`: of the topic of replays. `tally`: counts on; nobody else may touch it before `conclude`."""
        self._progress, self._replays, self._admin, self._partitions = progress, replays, admin, partitions
        self._tally, self._show, self._clock, self._log = tally, show, clock, log
        self._over, self._closing = threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._finished = False

    def start(self) -> None:
        self._thread.start()

    def over(self) -> bool:
        """Every partition of the run is committed; or there is nothing to be seen any more, as `close` says."""
        return self._over.is_set()

    def close(self) -> None:
        """Ends the thread. Errors: what it died of: MetadataMismatch, FatalClient."""
        self._closing.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def finished(self) -> bool:
        """Every partition of the run is committed, as far as anybody can say now."""
        return self._finished or self._look()

    def conclude(self, stopped: Callable[[], bool]) -> Summary | None:
        """Of a finished run: what came of all of it. Reads up to whatever stands on the topic now, which takes as long
        as its writers' transactions. None: `stopped` meanwhile. Errors: BrokerUnreachable."""
        ends = self._admin.high_watermarks(self._partitions, _CALL)
        while not self._replays.has_read(ends):
            if stopped():
                return None
            self._read()
        return self._tally.summary

    def _watch(self) -> None:
        try:
            look_at = self._clock.monotonic()
            while not self._closing.is_set():
                self._read()
                if self._clock.monotonic() < look_at:
                    continue
                if self._look():
                    return
                look_at = self._clock.monotonic() + _LOOK
        except Exception as error:  # noqa: BLE001 - whatever it is, `close` raises it in the main thread
            self._error = error
        finally:
            self._over.set()

    def _look(self) -> bool:
        try:
            standing = self._progress.look(_CALL)
        except (BrokerUnreachable, Retriable) as error:
            self._log.warning("how far the run is cannot be told now", error=str(error))
            return False
        self._finished = standing.finished
        self._show(standing, self._tally.summary)
        return self._finished

    def _read(self) -> None:
        for replayed in self._replays.poll(_POLL):
            self._tally.add(replayed)
