"""The raw transactional loop: consume, transform, produce; one transaction every 100 ms."""

from __future__ import annotations

import json
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.pipeline.setup import PARTITIONS, REQUESTS
from benchmarks.pipeline.transform import Transform

_INTERVAL = 0.1


def main(servers: str, records: int, run: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": run,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    producer = Producer({"bootstrap.servers": servers, "transactional.id": run})
    producer.init_transactions()
    consumer.subscribe([REQUESTS])
    transform, done, started = Transform(), 0, 0.0
    headers: list[tuple[str, str | bytes | None]] = [("task-id", b"x")]
    offsets: dict[int, int] = {}
    opened = 0.0
    while done < records or opened:
        messages = consumer.consume(500, 0.1)
        if messages and not started:
            started = time.perf_counter()
        if messages and not opened:
            producer.begin_transaction()
            opened = time.perf_counter()
        for message in messages:
            if message.error():
                sys.exit(str(message.error()))
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None:
                sys.exit("a record without a position")
            value = transform(message.value() or b"", REQUESTS, partition, offset)
            while True:
                try:
                    producer.produce("out.raw", value, message.key(), headers=headers)
                    break
                except BufferError:
                    producer.poll(0.1)
            offsets[partition] = offset + 1
        producer.poll(0)
        done += len(messages)
        if opened and (time.perf_counter() - opened >= _INTERVAL or done >= records):
            positions = [TopicPartition(REQUESTS, number, next_) for number, next_ in offsets.items()]
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
            producer.commit_transaction()
            opened = 0.0
    seconds = time.perf_counter() - started
    if len(offsets) != PARTITIONS:
        sys.exit("not every partition was read")
    consumer.close()
    print(json.dumps({"records": done, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
