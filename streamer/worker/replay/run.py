"""A run of a replay: what was asked and what was fixed at its first start, as one object in the store; beside it, once
it is finished, what came of it.

Whoever starts first writes it, put-if-absent; every other process of the run, and every later one, reads it. So all of
them work at the same range, whatever has been published since.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

import msgspec

from streamer.errors import StoreRejected
from streamer.store.base import Store
from streamer.worker.replay.summary import Summary

T = TypeVar("T")


class Mode(StrEnum):
    """What is done with the audio that was made again."""

    REGENERATE = "regenerate"
    """Compare it and keep it; the old one stays the job's."""
    VERIFY = "verify"
    """Compare it, and write none."""
    PROMOTE = "promote"
    """Where it differs, it becomes the job's."""


class Range(msgspec.Struct, frozen=True):
    """Offsets [begin, end) of one partition; one that is empty is finished at once."""

    begin: int
    end: int
    gone: int = 0
    """How many offsets of those asked for retention had taken before the run was made."""

    @property
    def size(self) -> int:
        """How many offsets, markers and aborted records among them."""
        return self.end - self.begin


class Run(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    number: int
    """Counts the restarts of the name, from 1."""
    mode: Mode
    asked: str
    """The options that chose the range, as `selection.Selection` writes and reads them."""
    ranges: dict[int, Range]
    """By partition number."""
    replayed_from: dict[int, int]
    """Where each partition of the topic of replays ended when the run was made: its results stand there or later."""
    created_at: int
    """Milliseconds since the epoch."""

    @property
    def label(self) -> str:
        """What its results carry as `run`."""
        return f"{self.name}/{self.number}"

    def group(self, base: str) -> str:
        """Its consumer group; `base` is kafka.group."""
        return f"{base}.replay.{self.name}.{self.number}"


class Runs:
    """The runs of a group's replays of one topic. Errors: those of the store."""

    def __init__(self, store: Store, topic_id: uuid.UUID, group: str) -> None:
        self._store = store
        self._folder = f"replays/{topic_id}/g-{quote(group, safe='')}/"

    def latest(self, name: str) -> Run | None:
        """The run of the highest number; None: the name is new."""
        folder = self._prefix(name)
        last = max((number for key in self._store.list(folder) if (number := _number(key))), default=0)
        return self._read(f"{folder}{last}.json") if last else None

    def make(self, run: Run) -> Run:
        """Put it unless another process was quicker; the one that stands."""
        key = f"{self._prefix(run.name)}{run.number}.json"
        self._store.put(key, msgspec.json.encode(run))
        standing = self._read(key)
        if standing is None:
            raise StoreRejected(f"{key} vanished right after it was written; is something deleting from the store?")
        return standing

    def conclude(self, run: Run, summary: Summary) -> Summary:
        """Put the summary of a finished run; the one that stands. It outlives the run's results and its group's
        commits, which Kafka keeps for a week by default."""
        self._store.put(self._conclusion(run), msgspec.json.encode(summary))
        return self.summary(run) or summary

    def summary(self, run: Run) -> Summary | None:
        """None: nobody has seen it finished."""
        key = self._conclusion(run)
        data = self._store.get(key)
        return None if data is None else _decoded(key, data, Summary)

    def _conclusion(self, run: Run) -> str:
        return f"{self._prefix(run.name)}{run.number}-summary.json"

    def _prefix(self, name: str) -> str:
        return f"{self._folder}{quote(name, safe='')}/"

    def _read(self, key: str) -> Run | None:
        data = self._store.get(key)
        return None if data is None else _decoded(key, data, Run)


def _decoded(key: str, data: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.DecodeError as error:
        raise StoreRejected(f"{key} is unreadable ({error}); move it away, or use another name") from error


def _number(key: str) -> int | None:
    number = key.rpartition("/")[2].removesuffix(".json")
    return int(number) if number.isdigit() and key.endswith(f"/{number}.json") else None
