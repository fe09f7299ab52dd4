from __future__ import annotations

import uuid

import pytest

from streamer.kafka.base import Topic
from streamer.kafka.expiry import gone_by

DAY = 86_400_000


def topic(**config: str) -> Topic:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return Topic(name="t", id=uuid.UUID(int=1), partitions=1, replication=1, config=named)


@pytest.mark.parametrize(
    ("config", "until"),
    [
        ({"retention_ms": str(DAY), "segment_ms": "1000"}, 5 + DAY + 1_000),
        ({"retention_ms": str(DAY), "segment_ms": "1000", "cleanup_policy": "delete,compact"}, 5 + DAY + 1_000),
        ({"retention_ms": str(DAY)}, 5 + 8 * DAY),
        ({}, 5 + 14 * DAY),
        ({"retention_ms": "-1"}, None),
        ({"retention_ms": str(DAY), "cleanup_policy": "compact"}, None),
    ],
)
def test_a_record_goes_with_its_segment(config: dict[str, str], until: int | None) -> None:
    assert gone_by(topic(**config), 5) == until
