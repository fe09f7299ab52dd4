from __future__ import annotations

from streamer.errors import BrokerError, Retriable
from streamer.kafka.base import Delivered, Message
from streamer.worker.redrive.sending import Sending


class Slow:
    """Holds messages until it is polled with time to spare, three at a time; its own queue takes so many."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.held: list[Delivered] = []
        self.most = 0
        self.taken: list[bytes | None] = []

    def publish(self, message: Message, delivered: Delivered) -> None:
        if len(self.held) >= self.room:
            raise Retriable("full")
        self.taken.append(message.value)
        self.held.append(delivered)
        self.most = max(self.most, len(self.held))

    def poll(self, timeout: float) -> int:
        served, self.held = (self.held[:3], self.held[3:]) if timeout else ([], self.held)
        for delivered in served:
            delivered(None)
        return len(served)

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self.held)

    def close(self) -> None:
        self.held.clear()


def message(value: bytes) -> Message:
    return Message("tts.requests", b"key", value)


def test_no_more_are_under_way_than_the_window_holds() -> None:
    publisher, told = Slow(), list[Exception | None]()
    sending = Sending(publisher, window=10)
    for number in range(100):
        sending.send(message(str(number).encode()), told.append)
    assert publisher.most == 10
    assert publisher.taken == [str(number).encode() for number in range(100)]


def test_no_more_bytes_are_under_way_than_the_window_holds_and_one_alone_always_may() -> None:
    publisher, told = Slow(), list[Exception | None]()
    sending = Sending(publisher)
    for _ in range(5):
        sending.send(message(b"x" * 20_000_000), told.append)
    assert publisher.most == 1
    sending.send(message(b"x" * 40_000_000), told.append)
    assert len(publisher.taken) == 6


def test_a_full_queue_is_waited_for() -> None:
    publisher, told = Slow(room=2), list[Exception | None]()
    sending = Sending(publisher)
    for _ in range(9):
        sending.send(message(b""), told.append)
    assert len(publisher.taken) == 9


def test_the_end_tells_of_how_many_nobody_knows() -> None:
    publisher, told = Slow(), list[Exception | None]()
    sending = Sending(publisher)
    for _ in range(5):
        sending.send(message(b""), told.append)
    assert sending.finish(1.0) == 2
    assert told == [None] * 3
    assert sending.finish(1.0) == 0


def test_an_answer_that_is_an_error_counts_as_one() -> None:
    publisher, told = Slow(), list[Exception | None]()
    sending = Sending(publisher)
    sending.send(message(b""), told.append)
    publisher.held[0](error := BrokerError("timed out"))
    publisher.held.clear()
    assert told == [error]
    assert sending.finish(1.0) == 0
