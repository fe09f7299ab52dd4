"""What `streamer topics` leaves in the store: its id, and which partitions of a topic a group was given a start for.

Both are put-if-absent and made by nobody else: a worker that made them itself would take a lost commit for a new group.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote

import msgspec

from streamer.errors import StoreMismatch
from streamer.store.base import Store

_ID = "store/id"


class Start(msgspec.Struct, frozen=True):
    """Where a partition was begun with."""

    offset: int


class Groups:
    """Errors: those of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def known_id(self) -> str | None:
        """The store's id; None where `streamer topics` never saw it."""
        data = self._store.get(_ID)
        return None if data is None else data.decode()

    def store_id(self) -> str:
        """Errors: StoreMismatch where `streamer topics` never saw this store."""
        known = self.known_id()
        if known is None:
            raise StoreMismatch(
                f"the store has no {self._store.uri(_ID)}: set store.url to the workers' one, or run `streamer topics`"
            )
        return known

    def make_store_id(self, proposal: str) -> str:
        """The store's id: this one, if it had none."""
        self._store.put(_ID, proposal.encode())
        return self.store_id()

    def start(self, topic_id: uuid.UUID, group: str, partition: int) -> Start | None:
        """Where the group was begun with in this partition; None: never."""
        data = self._store.get(_key(topic_id, group, partition))
        return None if data is None else msgspec.json.decode(data, type=Start)

    def note_start(self, topic_id: uuid.UUID, group: str, partition: int, offset: int) -> None:
        self._store.put(_key(topic_id, group, partition), msgspec.json.encode(Start(offset)))


def _key(topic_id: uuid.UUID, group: str, partition: int) -> str:
    return f"groups/{topic_id}/g-{quote(group, safe='')}/{partition}.json"
