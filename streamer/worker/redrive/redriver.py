"""The redrive: takes failures as they are read, and sends those that should be."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

from streamer.errors import BrokerError, FatalClient
from streamer.records import SpeechFailed
from streamer.worker.redrive.assessor import Assessment, Assessor, Fate
from streamer.worker.redrive.choice import Choice
from streamer.worker.redrive.report import Report
from streamer.worker.redrive.sending import Sending

_EXAMPLE = 200
"""Characters of an example."""


class Redriver:
    """`threads`: where the store is asked. `sending` None: nothing is sent, only counted."""

    def __init__(self, choice: Choice, assessor: Assessor, threads: Executor, sending: Sending | None) -> None:
        self._choice, self._assessor, self._threads, self._sending = choice, assessor, threads, sending
        self.report = Report()

    def take(self, failures: Sequence[SpeechFailed]) -> None:
        """Errors: those of the store, the registry and the broker; run again, what was sent is known by its verdict,
        or is a duplicate."""
        asked: list[SpeechFailed] = []
        for failed in failures:
            if not self._choice.matches(failed):
                continue
            if why := self._choice.refuses(failed.code):
                self._count(failed, Assessment(Fate.LEFT, why))
            else:
                asked.append(failed)
        for failed, assessment in zip(asked, self._threads.map(self._assessor.assess, asked), strict=True):
            if self._sending is None or assessment.message is None:
                self._count(failed, assessment)
            else:
                self._send(self._sending, failed, assessment)

    def finish(self, timeout: float) -> int:
        """Wait for the acks, `timeout` seconds at most. Of how many it is unknown then whether Kafka has them."""
        return 0 if self._sending is None else self._sending.finish(timeout)

    def _send(self, sending: Sending, failed: SpeechFailed, assessment: Assessment) -> None:
        def delivered(error: Exception | None) -> None:
            if error is None:
                self._count(failed, assessment)
            else:
                self._count(failed, Assessment(Fate.UNSENT, "unknown whether Kafka took it", detail=str(error)))

        if assessment.message is None:
            raise ValueError("nothing to send")
        try:
            sending.send(assessment.message, delivered)
        except FatalClient:
            raise
        except BrokerError as error:  # of this message alone: it is too large
            self._count(failed, Assessment(Fate.UNSENT, "Kafka's client refuses it", detail=str(error)))

    def _count(self, failed: SpeechFailed, assessment: Assessment) -> None:
        name = f"{failed.source}/{failed.id}"[:_EXAMPLE]
        detail = f": {assessment.detail}" if assessment.detail else ""
        self.report.add(failed.code, assessment.fate, assessment.why, name + detail)
