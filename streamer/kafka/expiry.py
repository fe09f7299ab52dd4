"""When a topic no longer holds what was written to it."""

from __future__ import annotations

from streamer.kafka.base import Topic

_WEEK = 604_800_000
"""Milliseconds; the broker's own retention.ms and segment.ms."""


def gone_by(topic: Topic, written_at: int) -> int | None:
    """Milliseconds since the epoch at which the broker lets go of a record at the latest, give or take the minutes
    between its looks; None: never.

    A segment goes as a whole, once its newest record has expired: that one may be segment.ms younger than ours.
    (https://kafka.apache.org/documentation/#topicconfigs_retention.ms)
    """
    retention = int(topic.config.get("retention.ms", _WEEK))
    if retention < 0 or "delete" not in topic.config.get("cleanup.policy", "delete"):
        return None
    return written_at + int(topic.config.get("segment.ms", _WEEK)) + retention
