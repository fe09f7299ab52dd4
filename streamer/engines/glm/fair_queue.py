"""Start-time fair queuing over sources (Goyal, Vin and Cheng, SIGCOMM 1996).

Each source has a virtual time, which grows by the cost of whatever it is given: it is the start of what it is given
next. Who has the lowest one goes first, so that sources that keep waiting are given alike. The clock shows the start of
what was given last. A source that waited for nothing goes on from there, or from its own time if that is later: it
saves nothing up, and owes what it was given.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from heapq import heappop, heappush
from typing import NamedTuple

Place = tuple[int, int]
"""Of a piece: (ticket of its utterance, index of its segment). The smaller one goes first."""
_MOST_RESTING = 10_000
"""Sources that are remembered though they wait for nothing, for what they were given ahead of others."""


class Length(IntEnum):
    """Of a whole text; it decides which rows the text may take."""

    SHORT = 0
    LONG = 1


class _Waiting(NamedTuple):
    source: str
    length: Length
    cost: int


class _Source:
    __slots__ = ("heaps", "time", "waiting")

    def __init__(self) -> None:
        self.time = 0
        self.waiting = 0
        self.heaps: tuple[list[Place], list[Place]] = ([], [])
        """By length. The first place of each waits; others may be gone."""


class FairQueue:
    """Places that wait, of each source the smaller first. Adding and taking one costs O(log n)."""

    def __init__(self) -> None:
        self._clocks = [0, 0]
        """By length. While only short texts may be taken the long ones' clock stands still, or else a source that is
        new among them would be behind all that were held up."""
        self._waiting: dict[Place, _Waiting] = {}
        self._sources: dict[str, _Source] = {}
        self._fronts: tuple[list[tuple[int, Place, str]], list[tuple[int, Place, str]]] = ([], [])
        """By length: (virtual time, first place, source), a heap. An entry that became untrue stays until it comes up;
        what is true of a source is always among them."""
        self._resting: list[tuple[int, str]] = []
        """(virtual time, source) of those that wait for nothing, a heap. Forgotten once the clocks passed it."""

    @property
    def sources(self) -> int:
        """How many it knows: those that wait, and those that owe."""
        return len(self._sources)

    def add(self, place: Place, source: str, length: Length, cost: int) -> None:
        """`cost`: at least 1."""
        found = self._sources.setdefault(source, _Source())
        if not found.waiting:
            found.time = max(found.time, self._clocks[length])
        self._waiting[place] = _Waiting(source, length, cost)
        found.waiting += 1
        heappush(found.heaps[length], place)
        if found.heaps[length][0] == place:
            self._offer(source, length)

    def first(self, lengths: Collection[Length]) -> Place | None:
        """Who goes next among texts of these lengths."""
        tops = [(length, front[0]) for length in Length if (front := self._front(length))]
        return min((top for length, top in tops if length in lengths), default=(0, None, ""))[1]

    def take(self, place: Place, lengths: Collection[Length]) -> None:
        """It goes, before or as the first of these lengths, and its source is charged."""
        first = self.first(lengths)
        if first is not None:
            start = self._sources[self._waiting[first].source].time
            for length in lengths:
                self._clocks[length] = max(self._clocks[length], start)
        source, _, cost = self._waiting[place]
        self._sources[source].time += cost
        self._remove(place)

    def drop(self, place: Place) -> None:
        """It does not wait any longer. Nobody is charged."""
        self._remove(place)

    def _remove(self, place: Place) -> None:
        name = self._waiting.pop(place).source
        source = self._sources[name]
        source.waiting -= 1
        for length in Length:
            self._offer(name, length)
        if not source.waiting:
            heappush(self._resting, (source.time, name))
        self._forget()

    def _offer(self, name: str, length: Length) -> None:
        """Enter the first of a source among those of the others."""
        source = self._sources[name]
        heap = source.heaps[length]
        while heap and heap[0] not in self._waiting:
            heappop(heap)
        if heap:
            heappush(self._fronts[length], (source.time, heap[0], name))

    def _front(self, length: Length) -> list[tuple[int, Place, str]]:
        """The heap of the sources, whose top is true."""
        front = self._fronts[length]
        while front:
            time, place, name = front[0]
            if place in self._waiting and self._sources[name].time == time:
                break
            heappop(front)
        return front

    def _forget(self) -> None:
        while self._resting and (self._resting[0][0] <= min(self._clocks) or len(self._resting) > _MOST_RESTING):
            time, name = heappop(self._resting)
            rested = self._sources.get(name)
            if rested is not None and not rested.waiting and rested.time == time:
                del self._sources[name]
