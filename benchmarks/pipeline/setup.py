"""Topics and records of the pipeline benchmark, and the Python that a contender runs on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamer.identity import Identity
from streamer.records import SpeechRequest
from streamer.wire import avro

REQUESTS = "tts.requests"
PARTITIONS = 3
_TEXT = "Order {number} has been paid, thank you. 您的订单已经付款,感谢您的购买,我们会尽快为您发货。"
_QUIX = "3.28.1"


def topics(servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    names = [REQUESTS, "tts.completed", "tts.failed", "tts.replayed", "out.raw", "out.quix"]
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        future.result()


def fill(servers: str, records: int) -> None:
    """Requests of about 300 B, the same for every contender."""
    codec = avro.requests()
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "linger.ms": 50, "enable.idempotence": True})
    for number in range(records):
        request = SpeechRequest(
            source="shop",
            id=f"order-{number}",
            text=_TEXT.format(number=number),
            voice="vip",
            metadata={"tenant": "acme", "channel": "ivr", "order": str(number)},
            requested_at=1_700_000_000_000 + number,
        )
        key = Identity(request.source, request.id).key
        while True:
            try:
                producer.produce(
                    REQUESTS,
                    codec.encode(request),
                    key,
                    partition=number % PARTITIONS,
                    headers=[("task-id", request.id.encode())],
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(60):
        sys.exit("the broker did not take the records")


def contender_python(name: str) -> str:
    """Quix Streams pins an older client, so it gets an environment of its own, made once."""
    if name != "quix":
        return sys.executable
    root = Path(__file__).parents[2]
    python = root / ".venv-quix" / "bin" / "python"
    if not python.exists():
        uv = str(root / ".uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(python.parents[1])], check=True)
        packages = [f"quixstreams=={_QUIX}", "fastavro", "msgspec"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *packages], check=True)
    return str(python)
