"""Verdicts looked up off the loop, in batches that form by themselves under load."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from streamer.errors import StoreUnavailable, StreamerError
from streamer.identity import Identity
from streamer.store.verdicts import Verdict, Verdicts

Found = Callable[[Verdict | StreamerError | None], None]
"""Called on the loop with the latest verdict, None where there is none, or why the store could not be read."""

_BATCH = 64


class Lookups:
    """Made and used on the loop. A store that hangs keeps its threads, which are daemons, and never the loop."""

    def __init__(self, verdicts: Verdicts, threads: int) -> None:
        self._verdicts = verdicts
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[tuple[Identity, Found] | None] = SimpleQueue()
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._run, name=f"lookup-{number}", daemon=True).start()

    def absent(self, identity: Identity) -> bool:
        """Whether there is no verdict, where the store can tell at once; else ask."""
        return self._verdicts.absent(identity)

    def ask(self, identity: Identity, found: Found) -> None:
        self._asked.put((identity, found))

    async def latest(self, identity: Identity, timeout: float) -> Verdict | None:
        """Errors: those of the store; StoreUnavailable where it has not answered after `timeout` seconds."""
        answer: asyncio.Future[Verdict | StreamerError | None] = self._loop.create_future()
        self.ask(identity, lambda found: None if answer.done() else answer.set_result(found))
        try:
            async with asyncio.timeout(timeout):
                found = await answer
        except TimeoutError as error:
            raise StoreUnavailable(f"it did not answer within {timeout:g} s") from error
        if isinstance(found, StreamerError):
            raise found
        return found

    def close(self) -> None:
        """Let the threads end once they are through; waits for none."""
        for _ in range(self._threads):
            self._asked.put(None)

    def _run(self) -> None:
        while (question := self._asked.get()) is not None:
            answers = [(question[1], self._look_up(question[0]))]
            while len(answers) < _BATCH:
                try:
                    question = self._asked.get_nowait()
                except Empty:
                    break
                if question is None:
                    self._asked.put(None)  # for the next turn
                    break
                answers.append((question[1], self._look_up(question[0])))
            with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
                self._loop.call_soon_threadsafe(_tell, answers)

    def _look_up(self, identity: Identity) -> Verdict | StreamerError | None:
        try:
            return self._verdicts.latest(identity)
        except StreamerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a thread that died here would leave its requests unanswered
            return StoreUnavailable(f"{type(error).__name__}: {error}")


def _tell(answers: list[tuple[Found, Verdict | StreamerError | None]]) -> None:
    for found, answer in answers:
        found(answer)
