"""From samples to a durable file, as the worker does it: encoded, written and flushed, with its folder."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.engine.shares import Shares
from streamer.engines.base import Samples
from streamer.store.disk import DiskStore
from streamer.store.encoding import encode


class Kept(NamedTuple):
    at: float
    """Seconds of `time.perf_counter`."""
    seconds: float
    """Of audio."""
    sha256: str
    """Of the samples."""


class Files:
    """WAV, in a store on a disk. Thread safe."""

    def __init__(self, root: Path, sample_rate: int) -> None:
        self._store, self._rate = DiskStore(root), sample_rate

    def keep(self, number: int, samples: Samples) -> Kept:
        encoded = encode(samples, self._rate, "wav", self._rate)
        self._store.replace(f"{number:06}/{encoded.sha256}.wav", encoded.data)
        return Kept(time.perf_counter(), encoded.duration, encoded.pcm_sha256)

    def close(self) -> None:
        self._store.close()


class Pool:
    """The same on threads."""

    def __init__(self, files: Files, threads: int) -> None:
        self._files, self._threads = files, ThreadPoolExecutor(threads)
        self._kept: dict[int, Future[Kept]] = {}
        self._shares = Shares()

    def keep(self, number: int, samples: Samples) -> None:
        self._kept[number] = self._threads.submit(self._timed, number, samples)

    def _timed(self, number: int, samples: Samples) -> Kept:
        with self._shares.of("files"):
            return self._files.keep(number, samples)

    def finish(self) -> dict[int, Kept]:
        """Wait for all. Errors: those of the store."""
        kept = {number: future.result() for number, future in self._kept.items()}
        self._threads.shutdown()
        return kept

    @property
    def seconds(self) -> float:
        """That the threads worked, together."""
        return self._shares.seconds.get("files", 0.0)
