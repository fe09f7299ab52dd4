"""`python -m benchmarks.bridge`: requests/s and latency at 64 keep-alive connections, each answered after acks=all.

    without kafka    `streamer bridge` as it is, with a publisher that acknowledges at its next poll
    bare             a raw-ASGI producer: the body as it came to Kafka, no JSON, no Avro, no checks; linger.ms as
                     librdkafka has it (5)
    bare, tuned      the same with the bridge's linger.ms
    bridge           `streamer bridge`; its requests name no id
    bridge, ids      `streamer bridge`; each request names an id of its own, whose verdict is looked up in a disk store

Each is a process of its own on the same uvicorn (uvloop, httptools), before one embedded broker; in turn, several
rounds, after a round that does not count. The load comes from wrk (Debian: `apt-get install wrk`) on one thread. All
share the machine's cores with the broker, so that only the ratios say anything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.latency import started
from benchmarks.report import publish
from streamer.embedded.broker import EmbeddedKafka
from streamer.kafka.confluent_config import LINGER_MS

_CONNECTIONS = 64
_LOAD = Path(__file__).with_name("load.lua")
_CONTENDERS = ("without kafka", "bare", "bare, tuned", "bridge", "bridge, ids")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=8, help="of each contender in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=_CONTENDERS, action="append", help="to try things; nothing is written then")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("the load comes from wrk, which is not on PATH; on Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder, EmbeddedKafka(Path(folder) / "kafka", 0) as kafka:
        environment = {
            **os.environ,
            "STREAMER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "STREAMER_KAFKA__SINGLE_BROKER": "true",
            "STREAMER_STORE__URL": (Path(folder) / "store").as_uri(),
            "STREAMER_LOG__LEVEL": "warning",
            "STREAMER_BRIDGE__PORT": "0",
        }
        subprocess.run([sys.executable, "-m", "streamer", "topics"], env=environment, check=True, capture_output=True)
        names = tuple(arguments.only or _CONTENDERS)
        rounds = [
            {name: _run(name, kafka.bootstrap_servers, environment, Path(folder), arguments.seconds) for name in names}
            for _ in range(1 + arguments.rounds)
        ]
    _report(names, rounds[1:], arguments.seconds, write=arguments.only is None)


def _run(name: str, servers: str, environment: Mapping[str, str], folder: Path, seconds: int) -> dict[str, float]:
    command = {
        "without kafka": ["-m", "benchmarks.bridge.without_kafka"],
        "bare": ["-m", "benchmarks.bridge.bare", servers, "5"],
        "bare, tuned": ["-m", "benchmarks.bridge.bare", servers, str(LINGER_MS)],
    }.get(name, ["-m", "streamer", "bridge"])
    with started([sys.executable, *command], dict(environment), folder / "server.log") as server:
        load = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(_LOAD), server.where]
        ids = {"BENCH_IDS": str(int(name.endswith("ids"))), "BENCH_RUN": os.urandom(4).hex()}
        before = _cpu(server.pid)
        done = subprocess.run(load, env={**environment, **ids}, capture_output=True, text=True, check=False)
        spent = _cpu(server.pid) - before
    if done.returncode != 0:
        sys.exit(f"{name}: {done.stderr.strip()} {done.stdout.strip()}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    if result["bad"]:
        sys.exit(f"{name}: {result['bad']:.0f} of {result['requests']:.0f} requests went wrong")
    result["cpu"] = spent / result["requests"] * 1e6
    return result


def _cpu(pid: int) -> float:
    """Seconds that a process has computed so far: user and system (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(names: tuple[str, ...], rounds: list[dict[str, dict[str, float]]], seconds: int, write: bool) -> None:
    rates = {name: [each[name]["requests"] / each[name]["seconds"] for each in rounds] for name in names}
    rows: list[tuple[Any, ...]] = []
    for name in names:
        of = [
            round(statistics.median(a / b for a, b in zip(rates[name], rates.get(bare, rates[name]), strict=True)), 2)
            for bare in ("bare", "bare, tuned")
        ]
        p50, p99, cpu = (
            round(statistics.median(each[name][key] for each in rounds), 1) for key in ("p50", "p99", "cpu")
        )
        rows.append((name, round(statistics.median(rates[name])), *of, p50, p99, cpu))
    publish(
        "bridge",
        f"{_CONNECTIONS} keep-alive connections, median of {len(rounds)} rounds of {seconds} s",
        ("server", "requests/s", "of bare", "of tuned", "p50 (ms)", "p99 (ms)", "CPU (µs a request)"),
        rows,
        write=write,
        connections=_CONNECTIONS,
        rates={name: [round(rate) for rate in each] for name, each in rates.items()},
    )


if __name__ == "__main__":
    main()
