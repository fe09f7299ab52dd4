from __future__ import annotations

import msgspec
import pytest

from streamer.clock import ManualClock
from streamer.errors import MetadataMismatch
from streamer.kafka.base import Commit, Partition
from streamer.kafka.memory import MemoryCluster
from streamer.worker.replay.progress import Progress, Standing
from streamer.worker.replay.run import Range
from tests.worker.builders import TOPIC, codec
from tests.worker.replay.test_run import RUN


class Place:
    def __init__(self, ranges: dict[int, Range]) -> None:
        cluster = MemoryCluster(ManualClock())
        cluster.create_topic(TOPIC, 3)
        self.commits = cluster.group("streamer.replay.monday.1").commits
        run = msgspec.structs.replace(RUN, ranges=ranges)
        self.progress = Progress(cluster.broker().admin(), codec(), run, "streamer", TOPIC)

    def committed(self, number: int, base: int, unfinished: tuple[int, ...] = (), top: int | None = None) -> Standing:
        self.commits[Partition(TOPIC, number)] = codec().encode(base, unfinished, base if top is None else top)
        return self.progress.look(1)


def test_what_is_committed_is_done_by_whomever() -> None:
    place = Place({0: Range(10, 20), 2: Range(0, 5)})
    assert place.progress.look(1) == Standing(0, 15, finished=False)
    assert place.committed(0, 10) == Standing(0, 15, finished=False)
    assert place.committed(0, 12) == Standing(2, 15, finished=False)
    assert place.committed(2, 5) == Standing(7, 15, finished=False)
    assert place.committed(0, 20) == Standing(15, 15, finished=True)


def test_what_is_finished_out_of_order_counts_and_what_is_not_keeps_it_open() -> None:
    place = Place({0: Range(10, 20)})
    assert place.committed(0, 11, (11, 15), 20) == Standing(8, 10, finished=False)
    assert place.committed(0, 15, (15,), 20) == Standing(9, 10, finished=False)


def test_an_empty_range_is_finished_at_once() -> None:
    assert Place({}).progress.look(1) == Standing(0, 0, finished=True)
    assert Place({1: Range(5, 5, gone=5)}).progress.look(1).finished
    assert not Place({1: Range(5, 5), 0: Range(0, 1)}).progress.look(1).finished


def test_commits_that_are_not_ours_are_refused() -> None:
    place = Place({0: Range(10, 20)})
    place.commits[Partition(TOPIC, 0)] = Commit(20, "by hand")
    with pytest.raises(MetadataMismatch, match="by hand"):
        place.progress.look(1)
