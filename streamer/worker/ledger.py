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


class Settled(msgspec.Struct, frozen=True, gc=False):
    """How one record ended. Its verdict is durable; its transaction is still to come."""

    task_id: str
    trace_id: str
    code: str
    """`ok`, a failure's code, or `duplicate`."""
    message: Message | None
    """What is to be emitted: nothing for a duplicate."""

    @property
    def size(self) -> int:
        return len(self.message.value or b"") if self.message else 0


class Plan(msgspec.Struct, frozen=True):
    """One transaction's share of a partition."""

    offsets: list[int]
    """The settled records that it finishes."""
    commit: Commit
    top: int


class Ledger:
    """Offsets only ever grow. `position` is the next offset to be read, as far as is known."""

    def __init__(self, codec: MetadataCodec, start: Finished, committed: Commit | None, end: int | None = None) -> None:
        """`end`: of a range, exclusive; nothing at or behind it is taken or committed. None: there is always more."""
        self._codec, self._end = codec, end
        self._unread = deque(start.unfinished)  # unfinished, below `top`, and not delivered again yet
        self._top = start.top  # everything finished that is committed lies below
        self._restored = start.top
        self._open: dict[int, None] = {}  # delivered and not committed, ascending
        self._settled: dict[int, Settled] = {}
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

    @property
    def at_end(self) -> bool:
        """Everything up to the end was read."""
        return self._end is not None and self.position >= self._end

    def receive(self, offset: int) -> bool:
        """Take a delivered record. False: it was finished before, or delivered before, or lies behind the end."""
        if offset < self.position:
            return False
        if self._end is not None and offset >= self._end:
            self.advance(self._end)
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
        if position is not None and self._end is not None:
            position = min(position, self._end)
        if position is not None and position > self.position:
            self.position = position
            while self._unread and self._unread[0] < position:
                self._unread.popleft()

    def settle(self, offset: int, settled: Settled) -> None:
        """The record is finished, and waits for its transaction."""
        self._settled[offset] = settled
        self.settled_bytes += settled.size

    def plan(self, limit: int) -> Plan | None:
        """What can be committed now with metadata of at most `limit` characters; None when nothing changed.

        What lies below the lowest unfinished record needs no metadata, and is committed whatever the limit.
        """
        chosen = sorted(self._settled)
        below = self._below_unfinished(chosen)
        while True:
            plan = self._plan(chosen)
            if len(plan.commit.metadata) <= limit or len(chosen) <= below:
                break
            chosen = chosen[: max(below, len(chosen) // 2)]
        return None if not chosen and plan.commit == self._committed else plan

    def messages(self, plan: Plan) -> Iterator[Message]:
        """What the plan's transaction emits, in offset order."""
        return (message for offset in plan.offsets if (message := self._settled[offset].message) is not None)

    def committed(self, plan: Plan) -> list[Settled]:
        """The plan's transaction was committed; what ended with it."""
        self._top, self._committed = plan.top, plan.commit
        ended = []
        for offset in plan.offsets:
            del self._open[offset]
            ended.append(self._settled.pop(offset))
            self.settled_bytes -= ended[-1].size
        return ended

    def _below_unfinished(self, settled: list[int]) -> int:
        """How many of the settled records no unfinished one precedes."""
        return next((number for number, offset in enumerate(self._open) if offset not in self._settled), len(settled))

    def _plan(self, chosen: list[int]) -> Plan:
        finished = set(chosen)
        remaining = [offset for offset in self._open if offset not in finished]
        remaining.extend(self._unread)
        base = remaining[0] if remaining else max(self.position, self._top)
        top = max(self._top, chosen[-1] + 1 if chosen else base, base)
        commit = self._codec.encode(base, remaining[: bisect_left(remaining, top)], top)
        return Plan(chosen, commit, top)
