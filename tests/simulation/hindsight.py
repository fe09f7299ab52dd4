"""What happened in a history, as its logs tell."""

from __future__ import annotations

from streamer.kafka.base import Partition
from tests.simulation.workload import EVENTS, TOPIC
from tests.simulation.world import World


def look_back(world: World) -> None:
    """Note the faults of a history that only its results show."""
    by_place = world.senders.by_place()
    for failure in world.topics.failed():
        if failure.code == "not_wanted":
            world.seen.add("event not wanted")
        sent = by_place[failure.position.partition, failure.position.offset].sent
        if failure.code == "expired" and sent.expected == EVENTS["brief"] and not sent.text:
            world.seen.add("time to live ran out")
    for replayed in world.topics.replayed():
        if replayed.outcome in ("different", "promoted") and "engine" in replayed.reasons:
            world.seen.add("replayed by another engine")
        if replayed.outcome == "promoted":
            world.seen.add("promoted")
        if "deleted" in replayed.reasons:
            world.seen.add("deleted and replayed")
    for run in world.replays.begun():
        for number, asked in run.ranges.items():
            log = world.cluster.log(Partition(TOPIC, number))
            if asked.size and asked.end - 1 not in {record.offset for record in log.read(0, log.end)[0]}:
                world.seen.add("a range that ends with a marker")
            if log.end > asked.end:
                world.seen.add("published behind a range")
