"""JSON lines → the request topic: one request a line, its id printed once Kafka has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import IO

import msgspec

from streamer.bodies import from_json
from streamer.clock import Clock
from streamer.errors import BrokerError, FatalClient, Retriable
from streamer.intake.lines import MAX_LINE, Line, Lines, NotYet
from streamer.kafka.base import Message, Publisher
from streamer.submission import Submissions
from streamer.validation import InvalidRequest, Problem, checked

SOURCE = "jsonl"
"""The source of requests that name none."""

_WINDOW = 10_000
"""Requests that may wait for their acks."""
_WINDOW_BYTES = 32 * 1024 * 1024
_PATIENCE = 30.0
"""Seconds without any ack after which the rest is given up."""
_POLL = 0.05


class _Sent(msgspec.Struct):
    number: int
    id: str
    size: int
    done: bool = False
    error: Exception | None = None


class Report(msgspec.Struct):
    """How it went."""

    acked: int = 0
    refused: int = 0
    """Lines that are no valid request."""
    unknown: int = 0
    """Requests whose ack did not come: they may be taken or not."""
    unsent: bool = False
    """Whether it stopped before the end of the input."""

    @property
    def failed(self) -> bool:
        return bool(self.refused or self.unknown or self.unsent)


class Intake:
    """Publishes lines, acks in input order. Single-threaded; memory is bounded by a window."""

    def __init__(
        self,
        publisher: Publisher,
        submissions: Submissions,
        clock: Clock,
        *,
        accepted: Callable[[str], None],
        complain: Callable[[str], None],
        stopped: Callable[[], bool] = lambda: False,
        window: int = _WINDOW,
        patience: float = _PATIENCE,
    ) -> None:
        """`accepted` gets ids, `complain` lines for people; `stopped` is asked often and ends the reading."""
        self._publisher, self._submissions, self._clock = publisher, submissions, clock
        self._accepted, self._complain, self._stopped = accepted, complain, stopped
        self._window, self._patience = window, patience
        self._sent: deque[_Sent] = deque()
        self._bytes = 0
        self._broken = False
        self._report = Report()
        self._progress = clock.monotonic()

    def run(self, file: IO[bytes]) -> Report:
        """Publish every line of `file`, and wait for what was published."""
        feed, number = Lines(file), 0
        while not (self._stopped() or self._stuck() or self._broken):
            if len(self._sent) >= self._window or self._bytes >= _WINDOW_BYTES:
                self._serve(_POLL)
                continue
            try:
                line = feed.next(0.0 if self._sent else _POLL)
            except NotYet:
                self._serve(_POLL)
                continue
            except OSError as error:
                self._report.unsent = True
                self._complain(f"after line {number}: the input cannot be read: {error}")
                break
            if line is None:
                break
            number = line.number
            self._take(line)
            self._serve(0)
        else:
            self._report.unsent = True
            self._complain(f"stopped after line {number}; what follows was not sent")
        self._finish()
        return self._report

    def _take(self, line: Line) -> None:
        if line.data is None:
            self._refuse(line.number, [Problem("body", f"is longer than {MAX_LINE} bytes; shorten it")])
        elif line.data.strip():
            try:
                request = from_json(line.data, SOURCE)
                checked(request)
            except InvalidRequest as error:
                self._refuse(line.number, error.problems)
                return
            request = self._submissions.completed(request)
            message = self._submissions.message(request)
            self._publish(_Sent(line.number, request.id, len(message.value or b"")), message)

    def _publish(self, sent: _Sent, message: Message) -> None:
        def delivered(error: Exception | None) -> None:
            sent.done, sent.error = True, error

        if not self._sent:
            self._progress = self._clock.monotonic()
        self._sent.append(sent)
        self._bytes += sent.size
        while not sent.done:
            try:
                self._publisher.publish(message, delivered)
                return
            except Retriable as error:  # the local queue is full
                if self._stopped() or self._stuck():
                    delivered(error)
                self._publisher.poll(_POLL)
            except BrokerError as error:
                self._broken = isinstance(error, FatalClient)
                delivered(error)

    def _refuse(self, number: int, problems: Iterable[Problem]) -> None:
        self._report.refused += 1
        for field, message in problems:
            self._complain(f"line {number}, {field}: {message}")

    def _serve(self, timeout: float) -> None:
        """Let delivery callbacks come, and print the ids at the head that are settled."""
        if self._publisher.poll(timeout):
            self._progress = self._clock.monotonic()
        while self._sent and self._sent[0].done:
            self._settle(self._sent.popleft())

    def _settle(self, sent: _Sent) -> None:
        self._bytes -= sent.size
        if sent.done and sent.error is None:
            self._report.acked += 1
            self._accepted(sent.id)
            return
        self._report.unknown += 1
        reason = sent.error or f"no answer for {self._patience:g} s"
        self._complain(
            f"line {sent.number}, id {sent.id}: unknown whether Kafka took it ({reason}); "
            "send it again with this id, which is safe"
        )

    def _stuck(self) -> bool:
        return bool(self._sent) and self._clock.monotonic() - self._progress > self._patience

    def _finish(self) -> None:
        while self._sent and not self._stuck():
            self._serve(_POLL)
        while self._sent:
            self._settle(self._sent.popleft())
