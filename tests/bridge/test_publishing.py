from __future__ import annotations

import asyncio
import threading

import pytest

from streamer.bridge.publishing import Publishing
from streamer.errors import FatalClient
from streamer.kafka.base import Delivered, Message

MESSAGE = Message(topic="t", key=b"k", value=b"v")


class Scripted:
    """Serves all acks that wait in one poll, when there are `batch` of them."""

    def __init__(self, batch: int = 1) -> None:
        self._batch = batch
        self._waiting: list[Delivered] = []
        self.threads: set[str] = set()
        self.polls_with_acks = 0
        self.broken = threading.Event()
        self.closed = False

    def publish(self, message: Message, delivered: Delivered) -> None:
        self._waiting.append(delivered)

    def poll(self, timeout: float) -> int:
        if self.broken.is_set():
            raise FatalClient("gone")
        if len(self._waiting) < self._batch:
            return 0
        return self.flush(0)

    def flush(self, timeout: float) -> int:
        self.threads.add(threading.current_thread().name)
        self.polls_with_acks += 1
        waiting, self._waiting = self._waiting, []
        for delivered in waiting:
            delivered(None)
        return 0

    def close(self) -> None:
        self.closed = True


def test_acknowledgements_come_on_the_loop() -> None:
    publisher = Scripted(batch=100)

    async def scenario() -> None:
        publishing = Publishing(publisher)
        told: list[str] = []
        done = asyncio.get_running_loop().create_future()

        def published(error: Exception | None) -> None:
            told.append(threading.current_thread().name)
            if len(told) == 100:
                done.set_result(error)

        for _ in range(100):
            publishing.publish(MESSAGE, published)
        async with asyncio.timeout(20):
            assert await done is None
        assert set(told) == publisher.threads == {threading.current_thread().name}
        assert publisher.polls_with_acks == 1
        assert await publishing.close(1.0) == 0
        assert publisher.closed

    asyncio.run(scenario())


def test_a_callback_that_fails_stops_no_polling() -> None:
    publisher = Scripted()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        complaints: list[object] = []
        loop.set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        publishing = Publishing(publisher)
        done = loop.create_future()

        def failing(_: Exception | None) -> None:
            raise ZeroDivisionError

        publishing.publish(MESSAGE, failing)
        while not complaints:
            await asyncio.sleep(0.001)
        publishing.publish(MESSAGE, done.set_result)
        async with asyncio.timeout(20):
            assert await done is None
        assert [type(each) for each in complaints] == [ZeroDivisionError]
        await publishing.close(1.0)

    asyncio.run(scenario())


def test_close_waits_for_what_is_pending() -> None:
    publisher = Scripted(batch=1_000)

    async def scenario() -> None:
        publishing = Publishing(publisher)
        told: list[Exception | None] = []
        publishing.publish(MESSAGE, told.append)
        assert await publishing.close(5.0) == 0
        await asyncio.sleep(0)
        assert told == [None]

    asyncio.run(scenario())


def test_a_client_that_hangs_does_not_hold_the_end() -> None:
    class Hanging(Scripted):
        def flush(self, timeout: float) -> int:
            back.wait()
            return 0

    back = threading.Event()

    async def scenario() -> None:
        assert await Publishing(Hanging()).close(0.05) == -1

    asyncio.run(asyncio.wait_for(scenario(), 20))
    back.set()


def test_a_client_that_broke_is_told() -> None:
    publisher = Scripted()

    async def scenario() -> None:
        publishing = Publishing(publisher)
        publisher.broken.set()
        async with asyncio.timeout(20):
            assert str(await publishing.broken) == "gone"
        await publishing.close(1.0)

    asyncio.run(scenario())


def test_a_publish_that_meets_a_broken_client_tells_it_too() -> None:
    class Broken(Scripted):
        def publish(self, message: Message, delivered: Delivered) -> None:
            raise FatalClient("gone")

    async def scenario() -> None:
        publishing = Publishing(Broken())
        for _ in range(2):
            with pytest.raises(FatalClient):
                publishing.publish(MESSAGE, lambda _: None)
        assert str(publishing.broken.result()) == "gone"
        await publishing.close(1.0)

    asyncio.run(scenario())
