"""`python -m benchmarks.replay`: the replay against the worker that spoke the same records before, in one process.

The engine returns 0.1 s of PCM at no cost, so that what is compared is everything else. The worker encodes, hashes and
puts audio and verdict; `verify` looks up the verdict and the latest one, encodes, hashes and compares; `regenerate`
also puts the audio. Both commit a result a record in Kafka transactions, on one embedded broker. Several rounds, each
a new process; the medians of the ratios round by round are printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.children import figures
from benchmarks.pipeline.setup import fill, topics
from benchmarks.report import publish
from streamer.embedded.broker import EmbeddedKafka

_CONTENDERS = ("worker", "verify", "regenerate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedKafka(Path(folder) / "kafka", 0) as kafka:
        topics(kafka.bootstrap_servers)
        fill(kafka.bootstrap_servers, arguments.records)
        _compare(kafka.bootstrap_servers, arguments.records, arguments.rounds)


def _compare(servers: str, records: int, rounds: int) -> None:
    rates: list[dict[str, float]] = []
    for number in range(rounds):
        command = [sys.executable, "-m", "benchmarks.replay.both", servers, str(records), f"round-{number}"]
        rates.append(figures("the replay", command))
        told = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates[-1].items())
        print(f"round {number + 1}: {told} records/s", flush=True)
    publish(
        "replay",
        f"{records:,} records of about 300 B, an engine at no cost, median of {rounds} rounds",
        ("contender", "records/s", "of the worker"),
        [
            (
                name,
                round(statistics.median(each[name] for each in rates)),
                round(statistics.median(each[name] / each["worker"] for each in rates), 2),
            )
            for name in _CONTENDERS
        ],
        records=records,
        rates=rates,
    )


if __name__ == "__main__":
    main()
