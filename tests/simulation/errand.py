"""Commands that run to their end: a redrive, a deletion, a collection of garbage. One may die on its way, and is begun
anew then."""

from __future__ import annotations

from collections.abc import Callable

from streamer.errors import BrokerError, RegistryUnavailable, StoreUnavailable
from tests.simulation.faults import Crash, Striker

_TROUBLED = 3
"""How often faults strike an errand, also in the part of a history in which nothing else fails any more."""


class Errand:
    """Runs at one go, but for what gets in between its calls."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.name, self.run = name, run
        self.running, self.tries = False, 0


class Errands:
    """Those that did not end yet."""

    def __init__(self, striker: Striker, elsewhere: Callable[[float], None], busy: Callable[[], bool]) -> None:
        """`elsewhere`: what happens for some seconds while an errand stands still in the middle of a call; `busy`:
        whether any process holds a record."""
        self._striker, self._elsewhere, self._busy = striker, elsewhere, busy
        self._pending: list[Errand] = []

    def start(self, name: str, run: Callable[[], None]) -> None:
        self._pending.append(Errand(name, run))

    @property
    def pending(self) -> int:
        return len(self._pending)

    def act(self) -> None:
        """Run one of them, from its beginning."""
        nested = any(errand.running for errand in self._pending)
        idle = [errand for errand in self._pending if not errand.running]
        if not idle:
            return
        errand = self._striker.rng.choice(idle)
        errand.running = True
        errand.tries += 1
        try:
            with self._striker.troubling(errand.name, self._busy, self._elsewhere):
                if nested or errand.tries > _TROUBLED:
                    errand.run()
                else:
                    with self._striker.storm():
                        errand.run()
            self._pending.remove(errand)
        except Crash:
            return
        except (BrokerError, RegistryUnavailable, StoreUnavailable):
            return  # it says so and ends; somebody begins it anew
        finally:
            errand.running = False
