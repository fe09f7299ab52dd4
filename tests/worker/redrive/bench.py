"""A cluster in memory with a worker whose engine fails the text "bad", and redrives of what failed."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from streamer.kafka.base import Delivered, Message, Publisher, Record
from streamer.kafka.memory_clients import MemoryPublisher
from streamer.records import SpeechFailed, SpeechRequest
from streamer.store.verdicts import Verdicts
from streamer.wire.base import Codec
from streamer.worker.redrive.assessor import Assessment, Assessor
from streamer.worker.redrive.choice import Choice
from streamer.worker.redrive.originals import Originals
from streamer.worker.redrive.redriver import Redriver
from streamer.worker.redrive.report import Report
from streamer.worker.redrive.sending import Sending
from streamer.worker.task import TaskReader
from tests.worker.builders import CODECS, TOPIC, Rig, Running

TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


class Bench:
    def __init__(self, codec: Codec[SpeechRequest] = CODECS.requests) -> None:
        self.rig = Rig(partitions=2, dead_letter_share=1.0)
        self.topic_id = self._topic_id()
        self.codec = codec

    def worker(self, *, mended: bool = False, codec: Codec[SpeechRequest] = CODECS.requests) -> Running:
        self.rig.codecs = CODECS._replace(requests=codec)
        running = self.rig.worker()
        if not mended:
            running.engine.fails.add("bad")
        return running

    def work(self, *, mended: bool = False, codec: Codec[SpeechRequest] = CODECS.requests) -> None:
        """A worker comes, finishes all there is, and leaves."""
        running = self.worker(mended=mended, codec=codec)
        running.until(self.finished)
        running.worker.close()

    def finished(self) -> bool:
        commits = self.rig.cluster.group(self.rig.settings.kafka.group).commits
        logs = self.rig.cluster.logs(TOPIC)
        return all(commits[log.partition].offset == log.end for log in logs)

    def assess(self, failed: SpeechFailed) -> Assessment:
        return self.assessor().assess(failed)

    def assessor(self) -> Assessor:
        return Assessor(
            Verdicts(self.rig.store),
            Originals(self.rig.cluster.broker(), self.rig.clock),
            TaskReader(self.codec, self.rig.cluster.cluster_id, self.topic_id, lambda _: None),
            self.codec.load,
            self.rig.clock,
            TOPIC,
        )

    def redrive(self, choice: Choice = Choice(), *, yes: bool = True, publisher: Publisher | None = None) -> Report:  # noqa: B008 - frozen
        """All that has failed so far, in batches of three."""
        sending = Sending(publisher or MemoryPublisher(self.rig.cluster)) if yes else None
        failures = self.rig.failed()
        with ThreadPoolExecutor(2) as threads:
            redriver = Redriver(choice, self.assessor(), threads, sending)
            for start in range(0, len(failures), 3):
                redriver.take(failures[start : start + 3])
            if redriver.finish(1.0):
                raise AssertionError("acks are missing")
        return redriver.report

    def requests(self) -> list[Record]:
        """All of them as they stand on their topic."""
        return [record for log in self.rig.cluster.logs(TOPIC) for record in log.read(0, 10_000)[0]]

    def publish(self, value: bytes, *headers: tuple[str, bytes | None], partition: int = 0) -> None:
        message = Message(topic=TOPIC, key=b"key", value=value, headers=headers, partition=partition)
        self.rig.cluster.append(message)

    def results(self) -> list[tuple[str, int, str]]:
        """(id, generation, code) of every result."""
        done = [(result.id, result.generation, "ok") for result in self.rig.completed()]
        return sorted(done + [(result.id, result.generation, result.code) for result in self.rig.failed()])

    def _topic_id(self) -> uuid.UUID:
        topic = self.rig.cluster.topic(TOPIC)
        if topic is None:
            raise AssertionError(TOPIC)
        return topic.id


class Dying(MemoryPublisher):
    """Raises once it has taken so many messages."""

    def __init__(self, bench: Bench, after: int) -> None:
        super().__init__(bench.rig.cluster)
        self.left = after

    def publish(self, message: Message, delivered: Delivered) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().publish(message, delivered)
