"""The engine's end of the text front end's process."""

from __future__ import annotations

import select
from collections import deque

import msgspec

from streamer.clock import Clock
from streamer.engines.child.process import ChildProcess
from streamer.engines.glm.text.frames import FROM_CHILD, At, Opening, Ready, Said, Unfit
from streamer.engines.glm.text.orders import Answer, Cut, Drop, Order, Refused
from streamer.errors import CheckpointError, ConfigurationError, EngineError, EngineGone, StreamerError
from streamer.observe.logs import Log


class TextProcess:
    """`Texts` in a process of its own, which dies with the thread that opened it.

    Where that process ends or hangs, the text that it was at is refused; another one takes over the rest.
    """

    def __init__(self, opening: Opening, limit: float, clock: Clock, log: Log) -> None:
        """Waits until it can cut; for half a minute where its grammars are to be built. `limit`: seconds of silence
        over a text after which it counts as hung.

        Errors: CheckpointError, ConfigurationError, EngineError, ImportError, as TextFront.open says; OSError.
        """
        self._opening, self._limit, self._clock, self._log = opening, limit, clock, log
        self._orders: dict[int, Order] = {}
        self._answers: deque[Answer] = deque()
        self.version = ""
        self.problems: tuple[str, ...] = ()
        self._begin()
        try:
            while not self._ready:
                self._listen(None)
        except BaseException:
            self._child.kill()
            raise

    @property
    def pid(self) -> int:
        """Of the process of now."""
        return self._child.pid

    @property
    def at(self) -> int | None:
        """The order that it works on."""
        return self._at

    def ask(self, order: Order) -> None:
        if not self._orders:
            self._heard = self._clock.monotonic()  # it owed no word until now
        self._child.post(order)
        self._orders[order.ticket] = order

    def answer(self, wait: float) -> Answer | None:
        if not self._answers:
            try:
                self._listen(wait)
            except (StreamerError, ImportError, OSError) as error:
                self._child.kill()
                raise EngineGone(f"the text front end cannot be started again: {error}") from error
        return self._answers.popleft() if self._answers else None

    def drop(self, ticket: int) -> None:
        self._answers = deque(answer for answer in self._answers if answer.ticket != ticket)
        if self._orders.pop(ticket, None) is not None:
            self._child.post(Drop(ticket))

    def close(self) -> None:
        self._orders.clear()
        self._answers.clear()
        self._child.kill()

    def _begin(self) -> None:
        self._ready = False
        self._at: int | None = None
        self._heard = self._clock.monotonic()
        self._child = ChildProcess(
            "streamer.engines.glm.text.child", FROM_CHILD, msgspec.json.encode(self._opening).decode()
        )

    def _listen(self, wait: float | None) -> None:
        """Take what it says, within `wait` seconds; None: however long it takes until it says something."""
        child = self._child
        child.send()
        if not child.ended:
            waiting = select.poll()
            waiting.register(child.output, select.POLLIN)
            waiting.poll(None if wait is None else 1000 * wait)
        for frame in child.read():
            self._heard = self._clock.monotonic()
            self._take(frame)
        if child.ended:
            self._replace(child.last_words())
        elif self._orders and self._clock.monotonic() - self._heard > self._limit:
            child.kill()
            self._replace(f"said nothing for {self._limit:g} s")

    def _take(self, frame: Said) -> None:
        match frame:
            case Ready():
                self._ready = True
                self.version, self.problems = frame.version, frame.problems
            case Unfit():
                self._child.kill()
                raise _error(frame)
            case At():
                self._at = frame.ticket
            case Cut() | Refused():
                if isinstance(frame, Cut):
                    self.version, self.problems = frame.version, frame.problems
                if self._orders.pop(frame.ticket, None) is not None:
                    self._answers.append(frame)

    def _replace(self, why: str) -> None:
        if not self._ready:
            raise EngineError(f"the text front end cannot start: its process {why}")
        self._log.warning("the process of the text front end is replaced", reason=why, ticket=self._at)
        if self._at is not None and self._orders.pop(self._at, None) is not None:
            self._answers.append(Refused(self._at, f"the process of the text front end {why}, over this text"))
        self._begin()
        for order in self._orders.values():
            self._child.post(order)


def _error(unfit: Unfit) -> Exception:
    """As it was raised there."""
    message = "\n".join(unfit.problems)
    match unfit.kind:
        case "import":
            return ImportError(message, name=unfit.module)
        case "configuration":
            return ConfigurationError(unfit.problems)
        case "checkpoint":
            return CheckpointError(message)
        case "engine":
            return EngineError(message)
