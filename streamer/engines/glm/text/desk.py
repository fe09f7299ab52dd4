"""The orders of a text front end, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.text.orders import Answer, Cut, Order, Refused


class TextDesk:
    """`Texts` in this process: each `answer` does one step of one text, by turns."""

    def __init__(self, front: TextFront) -> None:
        self._front = front
        self._orders: dict[int, Order] = {}
        """Whose turn is next comes first."""
        self._begun: dict[int, Iterator[None]] = {}

    @property
    def version(self) -> str:
        return self._front.version

    @property
    def problems(self) -> tuple[str, ...]:
        return self._front.problems

    @property
    def next(self) -> int | None:
        """Whose turn it is."""
        return next(iter(self._orders), None)

    def ask(self, order: Order) -> None:
        self._orders[order.ticket] = order

    def answer(self, wait: float = 0.0) -> Answer | None:
        """Never waits."""
        if self.next is None:
            return None
        order = self._orders.pop(self.next)
        preparing = self._begun.pop(order.ticket, None)
        try:
            preparing = preparing or self._front.prepare(order.text)
            if next(preparing, self) is self:
                return self._cut(order)
        except Exception as error:  # noqa: BLE001 - of this text, nobody else's
            return Refused(order.ticket, f"{type(error).__name__}: {error}"[:1000], isinstance(error, MemoryError))
        self._orders[order.ticket] = order
        self._begun[order.ticket] = preparing
        return None

    def drop(self, ticket: int) -> None:
        self._orders.pop(ticket, None)
        self._begun.pop(ticket, None)

    def close(self) -> None:
        self._orders.clear()
        self._begun.clear()

    def _cut(self, order: Order) -> Cut:
        segments = self._front.segments(order.text, order.phoneme)
        said = self._front.prompt_ids(order.prompt)
        return Cut(order.ticket, segments, said, self._front.version, self._front.problems)
