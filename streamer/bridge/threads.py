"""Calls that block, made off the loop: a few daemon threads, which a store that hangs may keep, and never the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Settle = Callable[[], None]


class Threads:
    """Made and used on the loop."""

    def __init__(self, name: str, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    async def run(self, call: Callable[[], T], timeout: float) -> T:
        """Errors: those of the call; TimeoutError after `timeout` seconds, while the call goes on unheard."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((call, answer))
        async with asyncio.timeout(timeout):
            return await answer

    def close(self) -> None:
        """Let the threads end once they are through; waits for none."""
        for _ in range(self._count):
            self._calls.put(None)

    def _run(self) -> None:
        while (next_call := self._calls.get()) is not None:
            call, answer = next_call
            if answer.done():  # nobody waits for it any longer
                continue
            settle = _made(call, answer)
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(settle)


def _made(call: Callable[[], T], answer: asyncio.Future[T]) -> _Settle:
    try:
        value = call()
    except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
        failure = error
        return lambda: None if answer.done() else answer.set_exception(failure)
    return lambda: None if answer.done() else answer.set_result(value)
