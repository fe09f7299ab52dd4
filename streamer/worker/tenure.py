"""A tenure: one assignment of one partition to this worker, from `assigned` to `revoked`, `lost` or a rewind.

The broker does not check that a member owns the partition whose offset it commits. What keeps a worker from committing
for a partition that left, or that left and came back, is that everything it holds of it belongs to a tenure and dies
with it: the ledger, the tasks, the engine tickets, the results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.kafka.base import Partition
from streamer.worker.ledger import Ledger

if TYPE_CHECKING:
    from streamer.store.attempts import Page, Suspect
    from streamer.worker.task import Task


class Tenure:
    """Opening until its committed offset is known, then running, and once dead never anything else."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.alive = True
        self.paused = False
        self.asked = 0  # how often for its committed offset: who had to wait lets the others go first
        self.ledger: Ledger | None = None  # None while opening
        self.tasks: dict[int, Task] = {}
        """By offset: what was received and is not settled."""
        self.page: Page | None = None  # where its attempts are noted; None until something wants to be spoken
        self.suspects: dict[int, Suspect] | None = None
        """By offset: who was under way when a worker died; None until that was read."""
