"""`python -m benchmarks.latency`: from the webhook to the committed completion, real processes, espeak.

Embedded Kafka, `streamer bridge` and one `streamer worker`; 20 events a second, evenly spread, for `--seconds`. A
completion counts when a read_committed reader gets it. What the parts cost comes from the record itself (its time
stamp, timings, completed_at), all clocks being one machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from benchmarks.report import publish
from streamer.embedded.broker import EmbeddedKafka
from streamer.kafka.confluent import ConfluentBroker
from streamer.observe.logs import logger
from streamer.records import SpeechCompleted
from streamer.settings import Kafka
from streamer.wire import avro

_TEXTS = (
    "您的订单已付款,我们会尽快为您发货。",
    "Your parcel has shipped and will arrive on Friday.",
    "尊敬的贵宾,欢迎您回来。",
    "Order 您的包裹 has arrived at the pick-up point.",
)
_WARM_UP = 40


class Started(NamedTuple):
    """A running process; `where`: what it said after `ready`."""

    where: str
    pid: int


class Watch(threading.Thread):
    """Notes when each completion became visible."""

    def __init__(self, servers: str) -> None:
        super().__init__(daemon=True)
        kafka = Kafka(bootstrap_servers=servers, single_broker=True)
        self._reader = ConfluentBroker(kafka, logger("warning")).reader([kafka.topics.completed], True)
        self._codec = avro.completed()
        self.seen: dict[str, tuple[float, SpeechCompleted]] = {}
        self.stop = False

    def run(self) -> None:
        while not self.stop:
            for record in self._reader.poll(100, 0.005):
                completed = self._codec.decode(record.value)
                self.seen[completed.id] = (time.time(), completed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=20.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedKafka(Path(folder) / "kafka", 0) as kafka:
        _measure(kafka.bootstrap_servers, Path(folder), arguments.rate, int(arguments.rate * arguments.seconds))


def _measure(servers: str, folder: Path, rate: float, events: int) -> None:
    environment = {
        **os.environ,
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": servers,
        "STREAMER_KAFKA__SINGLE_BROKER": "true",
        "STREAMER_STORE__URL": (folder / "store").as_uri(),
    }
    streamer = [sys.executable, "-m", "streamer"]
    subprocess.run([*streamer, "topics"], env=environment, check=True, stdout=subprocess.DEVNULL)
    with (
        started([*streamer, "bridge", "--port", "0"], environment, folder / "bridge.log") as bridge,
        started([*streamer, "worker", "--instance", "latency"], environment, folder / "worker.log"),
    ):
        watch = Watch(servers)
        watch.start()
        posted = asyncio.run(_post(bridge.where, rate, events + _WARM_UP))
        deadline = time.monotonic() + 30
        while len(watch.seen) < len(posted) and time.monotonic() < deadline:
            time.sleep(0.1)
        watch.stop = True
        watch.join()
    measured = {id_: times for id_, times in posted.items() if int(id_.split("-")[1]) >= _WARM_UP}
    missing = [id_ for id_ in measured if id_ not in watch.seen]
    if missing:
        sys.exit(f"{len(missing)} of {len(measured)} events never completed")
    _report(measured, watch.seen, rate)


async def _post(url: str, rate: float, events: int) -> dict[str, tuple[float, float]]:
    """When each event was posted, and answered."""
    times: dict[str, tuple[float, float]] = {}
    async with httpx.AsyncClient(base_url=url, timeout=10) as client, asyncio.TaskGroup() as group:
        begun = time.monotonic()

        async def post(number: int) -> None:
            id_ = f"event-{number}"
            body = {"source": "latency", "id": id_, "text": f"{_TEXTS[number % len(_TEXTS)]} {number}"}
            sent = time.time()
            response = await client.post("/webhook/tts", json=body)
            response.raise_for_status()
            times[id_] = (sent, time.time())

        for number in range(events):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            group.create_task(post(number))
    return times


def _report(
    posted: dict[str, tuple[float, float]], seen: dict[str, tuple[float, SpeechCompleted]], rate: float
) -> None:
    parts: dict[str, list[float]] = {
        name: []
        for name in (
            "webhook to committed completion",
            "webhook to 202",
            "in Kafka and queues, to the engine",
            "synthesis",
            "encoding and disk, to the audio's verdict",
            "verdict to the completion a reader gets",
        )
    }
    for id_, (sent, answered) in posted.items():
        at, completed = seen[id_]
        timings = completed.timings
        values = (
            at - sent,
            answered - sent,
            timings.queued,
            timings.synthesis,
            timings.durable,
            at - completed.completed_at / 1000,
        )
        for values_of, value in zip(parts.values(), values, strict=True):
            values_of.append(value * 1000)
    rows = [(name, _percentile(values, 50), _percentile(values, 99)) for name, values in parts.items()]
    title = f"{len(posted):,} events at {rate:g} a second, espeak, commit interval 100 ms"
    publish("latency", title, ("part", "p50 (ms)", "p99 (ms)"), rows, events=len(posted), rate=rate)


def _percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1)


@contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Started]:
    """A process that has said `ready`."""
    with log.open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line.startswith("ready"):
            sys.exit(f"{command[-1]} did not start: {log.read_text()[-2000:]}")
        yield Started(line.removeprefix("ready").strip(), process.pid)
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
