"""Quix Streams, exactly-once, with the same transform. Runs on its own environment (see setup.py)."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from quixstreams import Application

from benchmarks.pipeline.transform import Transform

_INTERVAL = 0.1


def main(servers: str, records: int, run: str) -> None:
    logging.disable(logging.INFO)
    app = Application(
        broker_address=servers,
        consumer_group=run,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=_INTERVAL,
        consumer_extra_config={"isolation.level": "read_committed"},
        auto_create_topics=False,
        loglevel="ERROR",
    )
    requests = app.topic("tts.requests", value_deserializer="bytes", key_deserializer="bytes")
    out = app.topic("out.quix", value_serializer="bytes", key_serializer="bytes")
    transform = Transform()
    started = 0.0

    def work(value: bytes, key: Any, timestamp: int, headers: Any) -> bytes:
        nonlocal started
        if not started:
            started = time.perf_counter()
        return transform(value, "tts.requests", 0, 0)

    app.dataframe(requests).apply(work, metadata=True).to_topic(out)
    app.run(count=records, timeout=20)
    print(json.dumps({"records": records, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
