"""The loop: Kafka's side of the worker, one turn at a time, on one thread that never blocks longer than one poll.

poll → receive → open new tenures → pipeline → pause or resume → commit when it is time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from streamer.clock import Clock
from streamer.errors import RetentionPassed, Retriable
from streamer.kafka.base import Consumer, Partition, Record
from streamer.worker.journal import Journal
from streamer.worker.ledger import Ledger, Plan
from streamer.worker.limits import Limits
from streamer.worker.liveness import Liveness
from streamer.worker.metadata import LIMIT
from streamer.worker.pipeline import Pipeline
from streamer.worker.start import StartingPoints
from streamer.worker.tenure import Tenure
from streamer.worker.transaction import Ending, Transactor

_OPEN_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


class Worker:
    """Listens to rebalances and turns. Errors: StopWorker, Fenced, FatalClient, DeadLetterLimit: the process ends."""

    def __init__(
        self,
        consumer: Consumer,
        transactor: Transactor,
        pipeline: Pipeline,
        starts: StartingPoints,
        limits: Limits,
        clock: Clock,
        journal: Journal,
        liveness: Liveness,
    ) -> None:
        self._consumer, self._transactor, self._pipeline = consumer, transactor, pipeline
        self._starts, self._limits, self._clock = starts, limits, clock
        self._journal, self._liveness = journal, liveness
        self._tenures: dict[Partition, Tenure] = {}
        self._rewinding = False
        self._draining = False
        self._full = False
        self._metadata_limit = LIMIT
        self._aborted = 0  # one after the other
        self._commit_at = clock.monotonic()
        self._open_at = clock.monotonic()

    @property
    def busy(self) -> bool:
        """Something was received and is not committed."""
        return self._pipeline.tasks > 0 or any(ledger.settled for _, ledger in self._running())

    @property
    def held(self) -> int:
        """How many records it holds: a bound on its memory."""
        return self._pipeline.tasks + sum(ledger.settled for _, ledger in self._running())

    @property
    def load(self) -> int:
        """What that costs (estimated speech tokens), as far as it is not settled."""
        return self._pipeline.load

    @property
    def member(self) -> bool:
        return bool(self._consumer.member_id())

    def begin(self, topic: str) -> None:
        """Fence whoever had this name before, then join."""
        self._renew()
        self._consumer.subscribe([topic], self)

    def turn(self) -> None:
        try:
            with self._call("poll"):
                records = self._consumer.poll(
                    self._limits.poll_records, self._limits.busy_poll if self.busy else self._limits.idle_poll
                )
        except RetentionPassed as error:
            self._starts.overtaken(error)
            self._forget_everything("retention took what was about to be read")
            self._rewind()  # at once: the next poll might meet the same
            return
        if self._rewinding and not self._rewind():
            return
        self._receive(records)
        self._open_tenures()
        self._pipeline.turn()
        self._pace()
        if self._due():
            self._pass_markers()
            self._commit(self._limits.commit_timeout)

    def drain(self) -> bool:
        """Read nothing more; finish what was received. True when all of it is committed."""
        self._draining = True
        self._pace()
        self.turn()
        return not self.busy

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        with self._call("close"):
            self._consumer.close()
        self._transactor.close()

    def abandon(self) -> None:
        """Its process ends for what a client of Kafka met: what was under way is not to blame for that."""
        self._end(list(self._tenures))

    # RebalanceListener, called from within poll

    def assigned(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            if self._starts.covers(partition):
                self._tenures[partition] = Tenure(partition)
        self._count("assigned", partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """The last chance to commit for them. `position` may have passed records that poll did not hand out yet: the
        ledgers go by what was received."""
        if not self._rewinding:
            self._commit(self._limits.revoke_timeout)
        self._end(partitions)
        self._count("revoked", partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Somebody else may own them already: nothing is committed."""
        self._end(partitions)
        self._count("lost", partitions)

    # Steps of a turn

    def _receive(self, records: Sequence[Record]) -> None:
        for partition, group in groupby(records, key=lambda record: record.partition):
            tenure = self._tenures.get(partition)
            if tenure is None or tenure.ledger is None or not tenure.alive:
                continue  # taken away within the same poll
            receive = tenure.ledger.receive
            self._pipeline.receive(tenure, [record for record in group if receive(record.offset)])

    def _open_tenures(self) -> None:
        """Ask for the committed offset of new tenures, outside the listener. Behind a dead worker's open transaction
        the answer waits until that expires; the partition waits with it, the others go on."""
        if self._draining or self._clock.monotonic() < self._open_at:
            return
        opening = [tenure for tenure in self._tenures.values() if tenure.ledger is None]
        for tenure in sorted(opening, key=lambda tenure: tenure.asked):
            tenure.asked += 1
            partition = tenure.partition
            try:
                with self._call("committed"):
                    commit = self._consumer.committed([partition], self._limits.committed_timeout)[partition]
                    bounds = self._consumer.bounds(partition, self._limits.committed_timeout)
            except Retriable as error:
                self._journal.log.debug("committed offset not known yet", partition=str(partition), error=str(error))
                self._open_at = self._clock.monotonic() + _OPEN_PAUSE
                return
            tenure.ledger = self._starts.ledger(partition, commit, bounds)
            if not tenure.ledger.at_end:
                self._consumer.start(partition, tenure.ledger.position)
            self._journal.log.info("partition started", partition=str(partition), offset=tenure.ledger.position)

    def _pace(self) -> None:
        """Pause what must not be read now. Each pause throws the prefetch away, hence the gap before resuming."""
        load, capacity = self._pipeline.load, self._limits.capacity
        self._full = load >= (capacity * self._limits.resume_share if self._full else capacity)
        waiting = sum(ledger.settled_bytes for _, ledger in self._running())
        hold = (
            self._full
            or self._draining
            or self._pipeline.backing_off
            or waiting >= 2 * self._limits.commit_bytes  # transactions do not get through
        )
        pause: list[Partition] = []
        resume: list[Partition] = []
        for tenure, ledger in self._running():
            paused = (
                hold
                or ledger.at_end
                or ledger.position - ledger.base >= self._limits.window
                or self._pipeline.awaits_schema(tenure)  # the others go on
            )
            if paused != tenure.paused:
                tenure.paused = paused
                (pause if paused else resume).append(tenure.partition)
        if pause:
            self._consumer.pause(pause)
        if resume:
            self._consumer.resume(resume)
        self._journal.metrics.in_flight_cost.set(load)
        self._journal.metrics.held_back.set(self._pipeline.held_back)
        self._journal.metrics.paused.set(hold)

    def _due(self) -> bool:
        if self._clock.monotonic() >= self._commit_at:
            return True
        if self._aborted:
            return False
        results = sum(ledger.settled for _, ledger in self._running())
        size = sum(ledger.settled_bytes for _, ledger in self._running())
        return results >= self._limits.commit_results or size >= self._limits.commit_bytes

    def _pass_markers(self) -> None:
        """Only here, outside of poll, has everything before `position` been received."""
        for tenure, ledger in self._running():
            ledger.advance(self._consumer.position(tenure.partition))

    def _commit(self, timeout: float) -> None:
        """Everything that is durable, in one transaction."""
        self._commit_at = self._clock.monotonic() + self._limits.commit_interval
        plans = self._plans()
        if not plans:
            return
        began = self._clock.monotonic()
        messages = (message for _, ledger, plan in plans for message in ledger.messages(plan))
        offsets = {tenure.partition: plan.commit for tenure, _, plan in plans}
        with self._call("transaction", timeout + self._limits.call_limit):
            ending = self._transactor.commit(messages, offsets, timeout)
        self._journal.metrics.transactions.labels(ending.name.lower()).inc()
        self._journal.metrics.transaction_seconds.observe(self._clock.monotonic() - began)
        if ending is Ending.COMMITTED:
            self._aborted = 0
            for tenure, ledger, plan in plans:
                self._journal.ended(tenure.partition.number, ledger.committed(plan))
            return
        self._hold_off(ending)
        if ending is Ending.METADATA_REFUSED:
            refused = max(len(plan.commit.metadata) for _, _, plan in plans)
            self._metadata_limit = min(self._metadata_limit, refused - 1 - refused // 8)
            self._journal.log.warning("the broker refuses long offset metadata", limit=self._metadata_limit)
        elif ending is Ending.UNKNOWN:
            self._forget_everything()

    def _hold_off(self, ending: Ending) -> None:
        """One abort is nothing, the next poll mends it; one after the other is trouble that only time mends."""
        self._journal.log.warning("transaction not committed", ending=ending.name, reason=self._transactor.reason)
        self._aborted += ending is Ending.ABORTED
        if self._aborted > 1:
            pause = self._limits.commit_interval * 2 ** min(self._aborted, 10)
            self._commit_at = self._clock.monotonic() + min(_LONGEST_PAUSE, pause)

    def _plans(self) -> list[tuple[Tenure, Ledger, Plan]]:
        plans = []
        for tenure, ledger in self._running():
            plan = ledger.plan(self._metadata_limit)
            if plan is not None:
                plans.append((tenure, ledger, plan))
        return plans

    # Ends of tenures

    def _forget_everything(self, why: str = "a transaction's outcome is unknown") -> None:
        """The last transaction may be committed or not: nothing remembered here can be trusted. The producer is
        renewed and every partition goes back to committed(), once no listener is on the stack."""
        self._journal.log.warning(f"{why}, going back to committed()")
        self._journal.metrics.rewinds.inc()
        for tenure in self._tenures.values():
            tenure.alive = False
            self._pipeline.drop(tenure)
        self._rewinding = True

    def _rewind(self) -> bool:
        """False: the producer could not be renewed yet."""
        try:
            self._renew()
        except Retriable as error:
            self._journal.log.warning("the producer cannot be renewed yet", error=str(error))
            return False
        self._rewinding = False
        for partition, tenure in list(self._tenures.items()):
            if tenure.alive:
                continue
            if tenure.ledger is not None:
                self._consumer.stop(partition)
            self._tenures[partition] = Tenure(partition)
        return True

    def _end(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            tenure = self._tenures.pop(partition, None)
            if tenure is not None:
                tenure.alive = False
                self._pipeline.drop(tenure)

    def _renew(self) -> None:
        with self._call("init_transactions"):
            self._transactor.renew(self._limits.call_limit / 2)

    def _running(self) -> Iterator[tuple[Tenure, Ledger]]:
        for tenure in self._tenures.values():
            if tenure.alive and tenure.ledger is not None:
                yield tenure, tenure.ledger

    @contextmanager
    def _call(self, name: str, limit: float | None = None) -> Iterator[None]:
        with self._liveness.call(name, limit or self._limits.call_limit):
            yield

    def _count(self, kind: str, partitions: Sequence[Partition]) -> None:
        self._journal.metrics.rebalances.labels(kind).inc(len(partitions))
        self._journal.log.info(f"partitions {kind}", partitions=[str(partition) for partition in partitions])
