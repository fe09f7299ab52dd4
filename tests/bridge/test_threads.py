from __future__ import annotations

import asyncio
import threading

import pytest

from streamer.bridge.threads import Threads
from streamer.errors import StoreUnavailable


def test_calls_are_made_off_the_loop_and_their_errors_are_raised() -> None:
    def fails() -> None:
        raise StoreUnavailable("gone")

    async def scenario() -> None:
        threads = Threads("reads", 2)
        assert await threads.run(lambda: threading.current_thread().name, 20) in ("reads-0", "reads-1")
        with pytest.raises(StoreUnavailable, match="gone"):
            await threads.run(fails, 20)
        assert await threads.run(lambda: 1, 20) == 1
        threads.close()

    asyncio.run(scenario())


def test_one_that_hangs_is_given_up_and_the_loop_goes_on() -> None:
    back, made = threading.Event(), []

    async def scenario() -> None:
        threads = Threads("reads", 1)
        with pytest.raises(TimeoutError):
            await threads.run(back.wait, 0.05)
        with pytest.raises(TimeoutError):
            await threads.run(lambda: made.append("unheard"), 0.05)
        back.set()
        assert await threads.run(lambda: 1, 20) == 1
        assert made == []  # nobody waited for it when its turn came
        threads.close()

    asyncio.run(scenario())
