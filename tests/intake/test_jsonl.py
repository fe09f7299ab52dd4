from __future__ import annotations

import io
import json
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pytest

from streamer.clock import SystemClock
from streamer.errors import BrokerError, FatalClient, Retriable
from streamer.intake.jsonl import Intake, Report
from streamer.kafka.base import Delivered, Message, headers_of
from streamer.kafka.memory import MemoryCluster
from streamer.submission import Submissions, is_traceparent
from streamer.wire import avro

TOPIC = "tts.requests"


class Scripted:
    """Acks a message in the `turns`-th poll after it came; `errors` by id, None for a message never acked."""

    def __init__(
        self, errors: dict[str, Exception | None] | None = None, room: int = 1_000_000, turns: int = 1
    ) -> None:
        self._errors, self._room, self._turns = errors or {}, room, turns
        self._waiting: list[list[object]] = []
        self.taken: list[str] = []
        self.most = 0

    def publish(self, message: Message, delivered: Delivered) -> None:
        if len(self._waiting) >= self._room:
            raise Retriable("full")
        id_ = avro.requests().decode(message.value).id
        error = self._errors.get(id_, ())
        if isinstance(error, FatalClient):
            raise error
        self.taken.append(id_)
        if error is not None:
            self._waiting.append([self._turns, delivered, error or None])
            self.most = max(self.most, len(self._waiting))

    def poll(self, timeout: float) -> int:
        for waiting in self._waiting:
            waiting[0] -= 1  # type: ignore[operator]
        ripe = [waiting for waiting in self._waiting if waiting[0] == 0]
        self._waiting = [waiting for waiting in self._waiting if waiting[0] != 0]
        for _, delivered, error in reversed(ripe):  # partitions answer in any order
            delivered(error)  # type: ignore[operator]
        return len(ripe)

    def flush(self, timeout: float) -> int:
        return self.poll(timeout)

    def close(self) -> None:
        """Nothing is held."""


class Run:
    """One run of an intake, and what it said."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.complaints: list[str] = []
        self.asked = False

    def of(self, publisher: object, file: IO[bytes], **options: object) -> Report:
        numbers = iter(range(1, 1_000))
        submissions = Submissions(TOPIC, SystemClock(), lambda: f"made-{next(numbers)}", os.urandom)
        intake = Intake(
            publisher,  # type: ignore[arg-type]
            submissions,
            SystemClock(),
            accepted=self.ids.append,
            complain=self.complaints.append,
            stopped=lambda: self.asked,
            **options,  # type: ignore[arg-type]
        )
        with file:
            return intake.run(file)


def written(bodies: Iterable[object]) -> IO[bytes]:
    rows = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the run closes it
    file.write(b"\n".join(rows))
    file.seek(0)
    return file


def hello(id_: str) -> dict[str, str]:
    return {"source": "shop", "id": id_, "text": "hello"}


def test_lines_become_records_and_ids_come_in_order() -> None:
    cluster = MemoryCluster(SystemClock())
    cluster.create_topic(TOPIC, 3)
    run = Run()
    report = run.of(cluster.broker().publisher(), written([hello("b"), b"", {"text": "hi"}, hello("a")]))
    assert run.ids == ["b", "made-1", "a"]
    assert (report.acked, report.failed, run.complaints) == (3, False, [])
    records = [record for log in cluster.logs(TOPIC) for record in log.read(log.low, 10)[0]]
    assert sorted(record.key or b"" for record in records) == [b"jsonl/made-1", b"shop/a", b"shop/b"]
    for record in records:
        request = avro.requests().decode(record.value)
        assert headers_of(record)["task-id"] == request.id.encode()
        assert is_traceparent(headers_of(record)["traceparent"].decode())
        assert request.requested_at > 0


def test_a_wrong_line_is_named_with_its_fields_and_the_others_go() -> None:
    bad = {"source": "", "id": "x", "text": "a", "seed": -1}
    run = Run()
    report = run.of(Scripted(), written([hello("a"), bad, b"{oops", {"source": "s", "txt": "a"}, hello("b")]))
    assert run.ids == ["a", "b"]
    assert (report.acked, report.refused, report.unknown, report.failed) == (2, 3, 0, True)
    assert [complaint.split(":")[0] for complaint in run.complaints] == [
        "line 2, source",
        "line 2, seed",
        "line 3, body",
        "line 4, txt",
    ]


def test_ids_without_ack_are_named_to_be_sent_again() -> None:
    run = Run()
    publisher = Scripted({"b": BrokerError("timed out"), "d": None})
    report = run.of(publisher, written([hello(id_) for id_ in "abcd"]), patience=0.3)
    assert run.ids == ["a", "c"]
    assert (report.acked, report.unknown, report.unsent, report.failed) == (2, 2, False, True)
    assert "line 2, id b: unknown whether Kafka took it (timed out); send it again with this id" in run.complaints[0]
    assert "line 4, id d: unknown whether Kafka took it (no answer for 0.3 s)" in run.complaints[1]


def test_the_window_bounds_what_waits() -> None:
    ids = [str(number) for number in range(50)]
    run, publisher = Run(), Scripted(turns=3)
    report = run.of(publisher, written(map(hello, ids)), window=4)
    assert (run.ids, report.failed) == (ids, False)
    assert publisher.most <= 4


def test_a_full_queue_is_waited_for() -> None:
    ids = [str(number) for number in range(20)]
    run, publisher = Run(), Scripted(room=2, turns=2)
    assert not run.of(publisher, written(map(hello, ids))).failed
    assert run.ids == ids


def test_it_stops_when_kafka_takes_nothing_any_more() -> None:
    run = Run()
    ids = [str(number) for number in range(5)]
    report = run.of(Scripted(dict.fromkeys(ids)), written(map(hello, ids)), patience=0.2, window=2)
    assert (report.unknown, report.unsent) == (2, True)
    assert "stopped after line 2" in run.complaints[0]


def test_it_stops_when_the_client_broke() -> None:
    run = Run()
    report = run.of(Scripted({"b": FatalClient("gone")}), written(map(hello, "abcd")))
    assert run.ids == ["a"]
    assert (report.unknown, report.unsent) == (1, True)


def test_asked_to_stop_it_waits_for_what_was_sent() -> None:
    run, publisher = Run(), Scripted(turns=5)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(hello("a")).encode() + b"\n")
        pipe.flush()

        def stop_once_taken() -> None:
            while publisher.taken != ["a"]:
                pass
            run.asked = True

        stopper = threading.Thread(target=stop_once_taken)
        stopper.start()
        report = run.of(publisher, file)  # the pipe stays open: nothing but the request to stop ends it
        stopper.join()
    assert run.ids == ["a"]
    assert report.unsent
    assert run.complaints == ["stopped after line 1; what follows was not sent"]


def test_ids_come_while_the_input_is_silent() -> None:
    run = Run()
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb") as pipe:
        worker = threading.Thread(target=run.of, args=(Scripted(), file))
        worker.start()
        pipe.write(json.dumps(hello("a")).encode() + b"\n")
        pipe.flush()
        while not run.ids:
            worker.join(0.01)
        assert worker.is_alive()
        pipe.close()
        worker.join()
    assert run.ids == ["a"]


def test_input_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    class Folder(io.BytesIO):
        def fileno(self) -> int:
            return descriptor

    run = Run()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        report = run.of(Scripted(), Folder())
    finally:
        os.close(descriptor)
    assert report.unsent
    assert "after line 0: the input cannot be read: [Errno 21]" in run.complaints[0]


def test_a_line_that_is_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.intake.lines.MAX_LINE", 100)
    run = Run()
    report = run.of(Scripted(), written([hello("a"), b"d" * 101, hello("b")]))
    assert (run.ids, report.refused) == (["a", "b"], 1)
    assert run.complaints[0].startswith("line 2, body: is longer than ")
