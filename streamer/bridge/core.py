"""Taking requests: look the verdict up, publish, and answer only with what is known. Knows no HTTP."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Literal

import msgspec

from streamer.bridge.lookups import Lookups
from streamer.bridge.publishing import Publishing
from streamer.bridge.rates import Rate
from streamer.errors import StreamerError
from streamer.identity import Identity, fingerprint
from streamer.kafka.base import Message
from streamer.observe.logs import Log
from streamer.observe.metrics import Metrics
from streamer.records import SpeechRequest
from streamer.store.verdicts import Completed, Verdict
from streamer.submission import Submissions
from streamer.validation import Problem, problems

_FRAME = 4_096
"""Bytes of a Kafka record besides its value: key, headers, batch. Ids and sources are limited by validation."""
_REMEMBERED = 20_000
"""Ids of which is known that Kafka has them: some 10 MB."""


class Accepted(msgspec.Struct, frozen=True):
    """All in-sync replicas have the request."""

    task_id: str


class Skipped(msgspec.Struct, frozen=True):
    """The same request was finished before."""

    task_id: str
    source: str
    state: Literal["completed", "failed"]
    audio: str | None
    code: str | None = None
    message: str | None = None
    """Why it failed."""


class Conflict(msgspec.Struct, frozen=True):
    """The id was used for another request."""

    task_id: str


class Unknown(msgspec.Struct, frozen=True):
    """Nobody answered in time: the request may be taken or not. Sending it again with this id is safe."""

    task_id: str
    reason: str


class Limited(msgspec.Struct, frozen=True):
    """Too many at once, or in a while. Nothing was published."""

    reason: str
    seconds: int
    """After which to send it again."""


class Invalid(msgspec.Struct, frozen=True):
    """All that is wrong with the request."""

    problems: tuple[Problem, ...]


class TooLarge(msgspec.Struct, frozen=True):
    """No Kafka record takes the request."""

    size: int
    limit: int


Answer = Accepted | Skipped | Conflict | Unknown | Limited | Invalid | TooLarge


class _Flight:
    """One id on its way to Kafka, and all who wait for it."""

    __slots__ = ("fingerprint", "identity", "message", "published", "timer", "waiting")

    def __init__(self, identity: Identity, fingerprint: str, message: Message) -> None:
        self.identity, self.fingerprint, self.message = identity, fingerprint, message
        self.waiting: list[asyncio.Future[Answer]] = []
        self.timer: asyncio.TimerHandle | None = None
        self.published = 0.0

    def join(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Answer]:
        """A future of one's own: cancelling it leaves the others alone."""
        waiter: asyncio.Future[Answer] = loop.create_future()
        self.waiting.append(waiter)
        return waiter


class Bridge:
    """Takes requests, each id once at a time. Made and used on the loop."""

    def __init__(
        self,
        submissions: Submissions,
        publishing: Publishing,
        lookups: Lookups,
        *,
        ack_timeout: float,
        max_bytes: int,
        max_pending: int,
        rate: Rate | None,
        metrics: Metrics,
        log: Log,
    ) -> None:
        """`ack_timeout`: seconds from a request to its answer, the store's part included. `max_bytes`: of a record.
        `max_pending`: ids on their way at once. `rate`: None where any number is taken."""
        self._submissions, self._publishing, self._lookups = submissions, publishing, lookups
        self._ack_timeout, self._max_value = ack_timeout, max_bytes - _FRAME
        self._max_pending, self._rate = max_pending, rate
        self._metrics, self._log = metrics, log
        self._loop = asyncio.get_running_loop()
        self._flights: dict[Identity, _Flight] = {}
        self._acknowledged: OrderedDict[tuple[str, str], None] = OrderedDict()  # pairs are no work for the collector
        metrics.bridge_in_flight.set_function(lambda: len(self._flights))

    async def take(self, request: SpeechRequest, traceparent: str | None) -> Answer:
        """Answers within `ack_timeout`. A waiter that is cancelled leaves the others and the flight alone."""
        if found := problems(request):
            return Invalid(tuple(found))
        named = bool(request.id)
        request = self._submissions.completed(request)
        identity, sent = Identity(request.source, request.id), fingerprint(request)
        flight = self._flights.get(identity)
        if flight is None:
            message = self._submissions.message(request, traceparent)
            if (size := len(message.value or b"")) > self._max_value:
                return TooLarge(size, self._max_value)
            if limited := self._limited(request.source):
                return limited
            flight = _Flight(identity, sent, message)
            waiter = flight.join(self._loop)
            self._depart(flight, named)
            return await waiter
        if flight.fingerprint != sent:
            return Conflict(request.id)
        return await flight.join(self._loop)

    def acknowledged(self, identity: Identity) -> bool:
        """Whether this bridge remembers that Kafka has it."""
        return (identity.source, identity.id) in self._acknowledged

    def _limited(self, source: str) -> Limited | None:
        """Only what would be published counts: who joins a flight costs nothing."""
        if len(self._flights) >= self._max_pending:
            return Limited(f"{self._max_pending} ids are on their way to Kafka (bridge.max_pending)", 1)
        if self._rate is None or (seconds := self._rate.exceeded(source)) is None:
            return None
        return Limited(f"this source has sent more than {self._rate} (bridge.rate)", seconds)

    def _depart(self, flight: _Flight, named: bool) -> None:
        self._flights[flight.identity] = flight
        flight.timer = self._loop.call_later(self._ack_timeout, self._late, flight)
        if named and not self._lookups.absent(flight.identity):
            self._lookups.ask(flight.identity, partial(self._found, flight))
        else:  # an id that was made just now has no verdict either
            self._publish(flight)

    def _found(self, flight: _Flight, verdict: Verdict | StreamerError | None) -> None:
        if verdict is None:
            self._publish(flight)
        elif isinstance(verdict, StreamerError):
            self._give_up(flight, f"the store could not be read: {verdict}")
        elif verdict.fingerprint != flight.fingerprint:
            self._settle(flight, Conflict(flight.identity.id))
        elif isinstance(verdict.state, Completed):
            identity = flight.identity
            self._settle(flight, Skipped(identity.id, identity.source, "completed", verdict.state.audio.uri))
        else:
            identity, failed = flight.identity, verdict.state
            self._settle(flight, Skipped(identity.id, identity.source, "failed", None, failed.code, failed.message))

    def _publish(self, flight: _Flight) -> None:
        if self._flights.get(flight.identity) is not flight:
            return  # the store answered after the sender was told "unknown", and perhaps sent it again
        flight.published = self._loop.time()
        try:
            self._publishing.publish(flight.message, partial(self._delivered, flight))
        except StreamerError as error:
            self._give_up(flight, f"Kafka does not take it: {error}")

    def _delivered(self, flight: _Flight, error: Exception | None) -> None:
        self._metrics.publish_seconds.observe(self._loop.time() - flight.published)
        if error is None:
            self._remember(flight.identity)
            self._settle(flight, Accepted(flight.identity.id))
        else:
            self._give_up(flight, f"Kafka did not acknowledge it: {error}")

    def _remember(self, identity: Identity) -> None:
        pair = identity.source, identity.id
        self._acknowledged[pair] = None
        self._acknowledged.move_to_end(pair)
        if len(self._acknowledged) > _REMEMBERED:
            self._acknowledged.popitem(last=False)

    def _late(self, flight: _Flight) -> None:
        who = "Kafka did not acknowledge it" if flight.published else "the store did not answer"
        self._give_up(flight, f"{who} within {self._ack_timeout:g} s")

    def _give_up(self, flight: _Flight, reason: str) -> None:
        if self._flights.get(flight.identity) is flight:
            self._log.warning("unknown", source=flight.identity.source, task_id=flight.identity.id, reason=reason)
        self._settle(flight, Unknown(flight.identity.id, reason))

    def _settle(self, flight: _Flight, answer: Answer) -> None:
        if self._flights.get(flight.identity) is not flight:
            return
        del self._flights[flight.identity]
        if flight.timer is not None:
            flight.timer.cancel()
        for waiter in flight.waiting:
            if not waiter.done():
                waiter.set_result(answer)
