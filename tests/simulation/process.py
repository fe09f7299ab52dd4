"""One process of streamer: its loop, pool and engine are turned by hand, so that any interleaving of them can happen,
and a crash at any call."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from streamer.errors import BrokerError, Fenced, StopWorker, StoreUnavailable
from streamer.worker.loop import Worker
from streamer.worker.pool import Done, Work, run
from streamer.worker.synthesis import EngineHost
from tests.simulation.faults import Crash, Striker


class ManualPool:
    """The store's pool, turned by hand: any job may be next."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._jobs: list[Work] = []
        self._done: list[Done] = []

    def submit(self, jobs: Sequence[Work]) -> None:
        self._jobs += jobs

    def collect(self) -> list[Done]:
        done, self._done = self._done, []
        return done

    def work(self) -> None:
        if self._jobs:
            done = run(self._jobs.pop(self._rng.randrange(len(self._jobs))))
            self._done.append(done)  # a list of its own where the loop collected meanwhile

    def close(self) -> None:
        self._jobs.clear()


class Life(NamedTuple):
    """What a process is made of, from its start to its end."""

    worker: Worker
    pool: ManualPool
    host: EngineHost
    over: Callable[[], bool] = lambda: False
    """Its work is done: it drains and leaves."""


class Process:
    """A process, or the place where one died and is started again."""

    def __init__(
        self,
        name: str,
        start: Callable[[str], Life | None],
        striker: Striker,
        elsewhere: Callable[[Process, str, float], None],
    ) -> None:
        """`start` makes the process and begins; it may fail as a start may, and then is tried again. None: there is
        nothing to be done. `elsewhere`: what happens for some seconds while the process stands still in the middle of
        an action."""
        self.name, self.kind = name, "replay" if name.startswith("run-") else "worker"
        self.life: Life | None = None
        self.stopped = ""
        """Why it must not be restarted."""
        self.ended = False
        """There is nothing left for it to do."""
        self.asleep_until = 0.0
        """Stands still until then: SIGSTOP, or a machine that swaps."""
        self._lives = 0
        self._start, self._striker, self._elsewhere = start, striker, elsewhere

    @property
    def held(self) -> int:
        """How many records it received and did not commit."""
        return self.life.worker.held if self.life else 0

    def act(self, action: str) -> None:
        """One of turn, engine, pool; a process that is not there is started instead."""
        striker = self._striker
        if self.asleep_until > striker.clock.monotonic() and not striker.calm:
            return
        life = self.life
        if life is None:
            if not self.stopped and not self.ended:
                self._guarded("start", self._begin)
        elif action == "turn":
            self._guarded(action, partial(self._turn, life))
        elif action == "engine":
            self._guarded(action, life.host.turn)
        else:
            self._guarded(action, partial(self._work, life.pool))

    def leave(self) -> None:
        """SIGTERM that finds nothing to drain."""
        if self.life is not None:
            self._guarded("leave", self.life.worker.close)
        self.life = None

    def kill(self) -> None:
        self._striker.interruptions += self.life is not None
        self.life = None

    def _guarded(self, name: str, action: Callable[[], object]) -> None:
        """Run what the process does, and let it die as a process would."""
        life = self.life
        try:
            with self._striker.troubling(self.name, lambda: self._holds(life), partial(self._elsewhere, self, name)):
                action()
        except (Crash, Fenced):
            if self._holds(life):
                self._striker.seen.add(f"{self.kind} killed")
            self.life = None
        except StopWorker as error:
            self.life, self.stopped = None, f"{type(error).__name__}: {error}"

    @staticmethod
    def _holds(life: Life | None) -> bool:
        return life is not None and life.worker.held > 0

    def _begin(self) -> None:
        try:
            self.life = self._start(self._instance())
            self.ended = self.life is None
        except (BrokerError, StoreUnavailable):
            return  # a process that cannot start is started again

    def _turn(self, life: Life) -> None:
        if not life.over():
            life.worker.turn()
        elif life.worker.drain():
            life.worker.close()
            self.life, self.ended = None, True

    def _instance(self) -> str:
        """The same as before, mostly: some orchestrators give every start a name of its own."""
        self._lives += 1
        return f"{self.name}-{self._lives}" if self._striker.rng.random() < 0.2 else self.name

    def _work(self, pool: ManualPool) -> None:
        if not self._striker.strikes("store slow", 3):
            pool.work()
