"""`streamer redrive`: the shipped parts, at any moment, killed at any call, twice at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

from streamer.identity import Identity
from streamer.kafka.base import Broker, Delivered, Message
from streamer.kafka.memory import MemoryCluster
from streamer.kafka.memory_clients import MemoryPublisher
from streamer.records import FOLLOWS, ORIGIN, FailureCode, SpeechRequest
from streamer.store.base import Store
from streamer.store.verdicts import Verdicts
from streamer.wire.confluent import ConfluentCodec
from streamer.worker.redrive.assessor import Assessor
from streamer.worker.redrive.choice import Choice
from streamer.worker.redrive.originals import Originals
from streamer.worker.redrive.redriver import Redriver
from streamer.worker.redrive.sending import Sending
from streamer.worker.task import TaskReader
from tests.simulation.faults import Crash, Striker
from tests.simulation.senders import Senders
from tests.simulation.topics import Topics
from tests.simulation.workload import CHOKER, KILLER, LATE_KILLER, POISON, TOPIC, Sent

_BATCH = 3
"""Failures looked at together."""
_MOST = 5
"""No redrive is begun once a failure has so high a generation: each that fails again can be sent again."""


class Inline(Executor):
    """Runs in the thread that asks, in order, as late as possible."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return (fn(*arguments) for arguments in zip(*iterables, strict=True))


class Redrives:
    """What redrives sent, and what those that came to their end had found."""

    def __init__(
        self,
        cluster: MemoryCluster,
        broker: Broker,
        store: Store,
        codec: Callable[[], ConfluentCodec[SpeechRequest]],
        topic_id: uuid.UUID,
        topics: Topics,
        senders: Senders,
        striker: Striker,
        cured: set[str],
    ) -> None:
        """`codec`: a new one, of requests. `cured`: texts that no longer fail."""
        self.found: set[tuple[Identity, int]] = set()
        """Failures that a redrive left no reason to stand as the last word: id and generation."""
        self._senders, self._topics, self._striker, self._cured = senders, topics, striker, cured
        self._cluster, self._topic_id, self._running = cluster, topic_id, 0
        self._verdicts, self._originals = Verdicts(store), Originals(broker, striker.clock)
        self._codec = codec

    def redrive(self) -> None:
        """Everything that a redrive can help. Errors: those of the store, the registry and the broker."""
        failures = self._topics.failed()
        if any(failed.generation >= _MOST for failed in failures):
            return
        codec = self._codec()
        reader = TaskReader(codec, self._cluster.cluster_id, self._topic_id, lambda _: None)
        sending = Sending(Publisher(self._cluster, self._striker, self._sent))
        assessor = Assessor(self._verdicts, self._originals, reader, codec.load, self._striker.clock, TOPIC)
        redriver = Redriver(Choice(), assessor, Inline(), sending)
        self._running += 1
        try:
            if self._running > 1:
                self._striker.note("two redrives at once")
            for start in range(0, len(failures), _BATCH):
                redriver.take(failures[start : start + _BATCH])
            redriver.finish(1.0)
        finally:
            self._running -= 1
        self.found |= {
            (Identity(failed.source, failed.id), failed.generation)
            for failed in failures
            if FailureCode(failed.code).retryable
        }

    def cure(self) -> None:
        """The engine is mended for some of the texts that it failed so far."""
        by_place = self._senders.by_place()
        for failed in self._topics.failed():
            text = by_place[failed.position.partition, failed.position.offset].sent.text
            if text.startswith((POISON, KILLER, LATE_KILLER, CHOKER)) and self._striker.rng.random() < 0.7:
                self._cured.add(text)

    def _sent(self, message: Message) -> None:
        headers = dict(message.headers)
        partition, _, offset = (headers.get(ORIGIN) or b"").partition(b"/")
        original = self._senders.by_place()[int(partition), int(offset)]
        identity, generation = original.identity(self._topic_id), int(headers.get(FOLLOWS) or 0) + 1
        expected, text = original.sent.expected, original.sent.text
        if "synthesis_failed" in expected:
            expected = frozenset({"ok"}) if text in self._cured else expected | {"ok"}
        if any(
            (other.sent.identity, other.sent.generation) == (identity, generation) for other in self._senders.published
        ):
            self._striker.note("redriven twice")
        self._senders.publish(Sent(identity, generation, original.sent.fingerprint, expected, message, text))


class Publisher(MemoryPublisher):
    """May die before and after each message."""

    def __init__(self, cluster: MemoryCluster, striker: Striker, sent: Callable[[Message], None]) -> None:
        """`sent` appends the message to its log."""
        super().__init__(cluster)
        self._striker, self._append = striker, sent

    def publish(self, message: Message, delivered: Delivered) -> None:
        self._die()
        if self._striker.strikes("redrive stands still"):
            self._striker.elsewhere(0.0)
        self._append(message)
        self._die()
        self._delivered.append(delivered)

    def _die(self) -> None:
        if self._striker.strikes("redrive killed"):
            raise Crash
