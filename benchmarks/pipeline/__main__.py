"""`python -m benchmarks.pipeline`: the worker against the raw transactional loop and Quix Streams, on the same records.

    raw      confluent-kafka's consume, fastavro decode and encode, produce; one transaction every 100 ms
    quix     Quix Streams 3.28, exactly-once, doing that (a virtual environment of its own: it pins an older client)
    worker   the shipped worker; its engine returns 0.1 s of PCM at no cost, which is encoded, hashed and put, with its
             verdict, in a memory store (bounded here: it forgets the oldest, so that memory can be judged)

Each is a process of its own that reads the same request topic on one embedded broker; in turn, several rounds; the
medians and the ratios round by round are printed. `--memory` runs the worker over 1,000,000 records instead, and
reports how its RSS grew between record 100,000 and the last.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.children import figures
from benchmarks.pipeline.setup import contender_python, fill, topics
from benchmarks.report import publish
from streamer.embedded.broker import EmbeddedKafka

_CONTENDERS = ("raw", "quix", "worker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="1,000,000 records through the worker; its RSS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedKafka(Path(folder) / "kafka", 0) as kafka:
        records = 1_000_000 if arguments.memory else arguments.records
        topics(kafka.bootstrap_servers)
        fill(kafka.bootstrap_servers, records)
        if arguments.memory:
            _memory(kafka.bootstrap_servers, records)
        else:
            _compare(kafka.bootstrap_servers, records, arguments.rounds)


def _compare(servers: str, records: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in _CONTENDERS}
    for number in range(rounds):
        for name in _CONTENDERS:
            result = _run(name, servers, records, number)
            rates[name].append(result["records"] / result["seconds"])
            print(f"round {number + 1}: {name}: {rates[name][-1]:,.0f} records/s", flush=True)
    rows = []
    for name in _CONTENDERS:
        ratios = {other: [a / b for a, b in zip(rates[name], rates[other], strict=True)] for other in ("raw", "quix")}
        rows.append(
            (
                name,
                round(statistics.median(rates[name])),
                round(statistics.median(ratios["raw"]), 2),
                round(statistics.median(ratios["quix"]), 2),
            )
        )
    publish(
        "pipeline",
        f"{records:,} records of about 300 B, exactly once, median of {rounds} rounds",
        ("contender", "records/s", "of raw", "of quix"),
        rows,
        records=records,
        rates=rates,
    )


def _memory(servers: str, records: int) -> None:
    result = _run("worker", servers, records, 0)
    early, late = result["rss_at_100000"] / 2**20, result["rss_at_end"] / 2**20
    publish(
        "pipeline_memory",
        f"RSS of the worker over {records:,} records",
        ("at 100,000 (MiB)", f"at {records:,} (MiB)", "growth (MiB)"),
        [(round(early, 1), round(late, 1), round(late - early, 1))],
    )


def _run(name: str, servers: str, records: int, number: int) -> dict[str, float]:
    command = [contender_python(name), "-m", f"benchmarks.pipeline.{name}", servers, str(records), f"{name}-{number}"]
    return figures(name, command)


if __name__ == "__main__":
    main()
