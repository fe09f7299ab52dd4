"""The load as requests on the topic."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Producer

from benchmarks.engine.load import Text
from streamer.identity import Identity
from streamer.records import SpeechRequest
from streamer.wire import avro

_SOURCE = "benchmark"
_TOPIC = "tts.requests"


def requests(run: str, texts: Sequence[Text]) -> dict[str, SpeechRequest]:
    """By id."""
    made = [
        SpeechRequest(
            source=_SOURCE,
            id=f"{run}-{text.number}",
            text=text.text,
            seed=text.number,
            phoneme=False,
            requested_at=int(time.time() * 1000),
        )
        for text in texts
    ]
    return {request.id: request for request in made}


def produce(servers: str, given: Mapping[str, SpeechRequest]) -> None:
    """All at once; returns when the broker has them."""
    codec = avro.requests()
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "enable.idempotence": True})
    for id_, request in given.items():
        key = Identity(request.source, request.id).key
        producer.produce(_TOPIC, codec.encode(request), key, headers=[("task-id", id_.encode())])
    if producer.flush(60):
        sys.exit("the broker did not take the requests")
