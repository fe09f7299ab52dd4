"""One `streamer worker` that speaks what is produced, as a reader of committed results sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.engine.load import Text, shortest
from benchmarks.latency import Watch, started
from benchmarks.service.requests import produce, requests
from streamer.records import SpeechCompleted

_POLL = 0.01
_START = 600.0
"""Seconds that the first text may take."""


class Heard(NamedTuple):
    wall: float
    """Seconds from the first request that was produced to the last completion that a reader got."""
    completed: dict[int, SpeechCompleted]
    """By the number of the utterance."""

    @property
    def seconds(self) -> float:
        """Of audio."""
        return sum(one.audio.duration for one in self.completed.values())


def heard(configuration: Path, servers: str, run: str, texts: Sequence[Text], patience: float) -> Heard:
    """Speak the texts through Kafka. `patience`: seconds; ends this process where something is missing by then."""
    streamer = [sys.executable, "-m", "streamer", "--config", str(configuration)]
    environment = dict(os.environ)
    subprocess.run([*streamer, "topics"], env=environment, check=True, capture_output=True)
    log = configuration.with_name(f"worker-{run}.log")
    with started([*streamer, "worker", "--instance", f"benchmark-{run}"], environment, log):
        watch = Watch(servers)
        watch.start()
        first = requests(f"{run}-first", shortest(texts, 1))
        produce(servers, first)
        _await(watch, list(first), _START, log)
        given = requests(run, texts)
        began = time.time()
        produce(servers, given)
        _await(watch, list(given), patience, log)
        watch.stop = True
        watch.join()
    at = [watch.seen[id_][0] for id_ in given]
    found = {text.number: watch.seen[id_][1] for id_, text in zip(given, texts, strict=True)}
    return Heard(max(at) - began, found)


def _await(watch: Watch, ids: Sequence[str], patience: float, log: Path) -> None:
    ends = time.monotonic() + patience
    while any(id_ not in watch.seen for id_ in ids):
        if time.monotonic() > ends:
            missing = [id_ for id_ in ids if id_ not in watch.seen]
            sys.exit(f"{len(missing)} of {len(ids)} requests never completed: {log.read_text()[-2000:]}")
        time.sleep(_POLL)
