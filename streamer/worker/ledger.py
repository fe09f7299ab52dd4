"""The ledger of one tenure: which records of its partition are open, which are settled, what may be committed.

The committed offset is the lowest unfinished record; the finished ones above it stand in the offset's metadata. An
offset that was passed and never delivered (transaction marker, aborted record) does not exist and counts as finished.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

import msgspec

from streamer.kafka.base import Commit, Message
from streamer.worker.metadata import Finished, MetadataCodec


class Plan(msgspec.Struct, frozen=True):
    """One transaction's share of a partition."""

    offsets: list[int]
    """The settled records that it finishes."""
    commit: Commit
    top: int


class Ledger:
    """Offsets only ever grow. `position` is the next offset to be read, as far as is known."""

    def __init__(self, codec: MetadataCodec, start: Finished, committed: Commit | None) -> None:
        self._codec = codec
        self._unread = deque(start.unfinished)  # unfinished, below `top`, and not delivered again yet
        self._top = start.top  # everything finished that is committed lies below
        self._restored = start.top
        self._open: dict[int, None] = {}  # delivered and not committed, ascending
        self._settled: dict[int, Message | None] = {}
        self._committed = committed
        self.position = start.base
        self.settled_bytes = 0

    @property
    def settled(self) -> int:
        """How many records wait for their transaction."""
        return len(self._settled)

    @property
    def base(self) -> int:
        """The lowest unfinished offset."""
        return next(iter(self._open), self.position)

    def receive(self, offset: int) -> bool:
        """Take a delivered record. False: it was finished before, or delivered before; pass over it."""
        if offset < self.position:
            return False
        self.position = offset + 1
        while self._unread and self._unread[0] < offset:
            self._unread.popleft()
        if self._unread and self._unread[0] == offset:
            self._unread.popleft()
        elif offset < self._restored:
            return False
        self._open[offset] = None
        return True

    def advance(self, position: int | None) -> None:
        """Pass markers and aborted records that are never delivered."""
        if position is not None and position > self.position:
            self.position = position
            while self._unread and self._unread[0] < position:
                self._unread.popleft()

    def settle(self, offset: int, result: Message | None) -> None:
        """The record is finished: `result` is durable, or there is none to be emitted (a duplicate)."""
        self._settled[offset] = result
        self.settled_bytes += _size(result)

    def plan(self, limit: int) -> Plan | None:
        """What can be committed now with metadata of at most `limit` characters; None when nothing changed."""
        chosen = sorted(self._settled)
        while True:
            plan = self._plan(chosen)
            if not chosen or len(plan.commit.metadata) <= limit:
                break
            chosen = chosen[: len(chosen) // 2]
        return None if not chosen and plan.commit == self._committed else plan

    def results(self, plan: Plan) -> Iterator[Message]:
        """The messages of a plan, in offset order."""
        return (result for offset in plan.offsets if (result := self._settled[offset]) is not None)

    def committed(self, plan: Plan) -> None:
        """The plan's transaction was committed."""
        for offset in plan.offsets:
            del self._open[offset]
            self.settled_bytes -= _size(self._settled.pop(offset))
        self._top, self._committed = plan.top, plan.commit

    def _plan(self, chosen: list[int]) -> Plan:
        finished = set(chosen)
        remaining = [offset for offset in self._open if offset not in finished]
        remaining.extend(self._unread)
        base = remaining[0] if remaining else max(self.position, self._top)
        top = max(self._top, chosen[-1] + 1 if chosen else base, base)
        commit = self._codec.encode(base, remaining[: bisect_left(remaining, top)], top)
        return Plan(chosen, commit, top)


def _size(message: Message | None) -> int:
    return len(message.value or b"") if message else 0
