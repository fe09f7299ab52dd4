"""Start-time fair queuing over sources (Goyal, Vin and Cheng, SIGCOMM 1996).

Each source has a virtual time, which grows by the cost of whatever it is given: it is the start of what it is given
next. Who has the lowest one goes first, so that sources that keep waiting are given alike. The clock shows the start of
what was given last. A source that waited for nothing goes on from there, or from its own time if that is later: it
saves nothing up, and owes what it was given.

All that waits in one queue may be given at any time. Where that is not so, as with rows that some texts may not take,
there is a queue for each kind: a source that is held up in one queue would save up credit for the others if they had
its virtual time in common, and with times of its own in each, but a charge that counts in all, it would owe without
bound to all that come later.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

Place = tuple[int, int]
"""Of a piece: (ticket of its utterance, index of its segment). The smaller one goes first."""
_Entry = tuple[int, Place, str]
"""(virtual time, first place, source)."""
_MOST_OWING = 5_000
"""Sources that are remembered though they wait for nothing, for what they were given ahead of others."""
_SPARE = 16
"""A heap is made anew when more than half of it is of no use, and so much."""


class _Source:
    __slots__ = ("costs", "entry", "heap", "time")

    def __init__(self) -> None:
        self.time = 0
        self.costs: dict[Place, int] = {}
        """Of what waits."""
        self.heap: list[Place] = []
        """The first place waits; others may be gone."""
        self.entry: _Entry | None = None
        """What it has among the other sources, if it waits."""

    def first(self) -> Place | None:
        if len(self.heap) > 2 * len(self.costs) + _SPARE:
            self.heap = sorted(self.costs)
        while self.heap and self.heap[0] not in self.costs:
            heappop(self.heap)
        return self.heap[0] if self.heap else None


class FairQueue:
    """Places that wait, of each source the smaller first. Adding and taking one costs O(log n), spread over many."""

    def __init__(self) -> None:
        self._clock = 0
        self._names: dict[Place, str] = {}
        """The sources of the places that wait."""
        self._sources: dict[str, _Source] = {}
        self._front: list[_Entry] = []
        """A heap. What is not the entry of its source any longer stays until it comes up, or the heap is made anew."""
        self._resting: set[str] = set()
        """Those that wait for nothing and owed something when they came to. Forgotten once the clock passed it."""
        self._many_resting = _SPARE

    @property
    def sources(self) -> int:
        """How many it knows: those that wait, and those that owe."""
        return len(self._sources)

    @property
    def held(self) -> int:
        """How many entries its heaps have, those of no use as well."""
        return len(self._front) + sum(len(source.heap) for source in self._sources.values())

    def add(self, place: Place, source: str, cost: int) -> None:
        """`cost`: at least 1."""
        found = self._sources.setdefault(source, _Source())
        if not found.costs:
            found.time = max(found.time, self._clock)
            self._resting.discard(source)
        found.costs[place] = cost
        self._names[place] = source
        heappush(found.heap, place)
        self._offer(source, found)

    def first(self) -> Place | None:
        """Who goes next."""
        front = self._ordered()
        return front[0][1] if front else None

    def take(self, place: Place) -> None:
        """It goes, before or as the first, and its source is charged."""
        source = self._sources[self._names[place]]
        self._clock = self._ordered()[0][0]  # never back: whoever waits starts no earlier than the clock
        source.time += source.costs[place]
        self.drop(place)

    def drop(self, place: Place) -> None:
        """It does not wait any longer, if it did. Nobody is charged."""
        name = self._names.pop(place, None)
        if name is None:
            return
        source = self._sources[name]
        del source.costs[place]
        self._offer(name, source)
        if not source.costs:
            self._rest(name, source)

    def _offer(self, name: str, source: _Source) -> None:
        """Enter the first of a source among those of the others."""
        place = source.first()
        entry = None if place is None else (source.time, place, name)
        if entry is not None and entry != source.entry:
            heappush(self._front, entry)
        source.entry = entry

    def _ordered(self) -> list[_Entry]:
        """The heap of the sources, whose top is true."""
        if len(self._front) > 2 * len(self._sources) + _SPARE:
            self._front = [source.entry for source in self._sources.values() if source.entry is not None]
            heapify(self._front)
        while self._front and not self._true(self._front[0]):
            heappop(self._front)
        return self._front

    def _true(self, entry: _Entry) -> bool:
        source = self._sources.get(entry[2])
        return source is not None and source.entry == entry

    def _rest(self, name: str, source: _Source) -> None:
        if source.time <= self._clock:
            del self._sources[name]
            return
        self._resting.add(name)
        if len(self._resting) <= self._many_resting:
            return
        owing = sorted((self._sources[one].time, one) for one in self._resting)
        kept = {one for time, one in owing[-_MOST_OWING:] if time > self._clock}
        for one in self._resting - kept:
            del self._sources[one]
        self._resting = kept
        self._many_resting = 2 * len(kept) + _SPARE
