"""What a process that measures is told, and what it answers."""

from __future__ import annotations

from typing import Any

import msgspec

from benchmarks.engine.load import Text


class Order(msgspec.Struct, frozen=True, kw_only=True):
    checkpoint: str
    cache: str
    device: str
    texts: list[Text]
    """In this order."""
    concurrency: int = 1
    threads: int = 0
    """Of torch on a CPU; 0: as many as it takes."""
    settings: dict[str, Any] = {}
    """Of [engine.glm], those of checkpoint, cache, device and threads left out."""
    whole_before: bool = True
    """Whether an utterance is spoken, uncounted, before; else as much of one as the LLM's first steps."""
    trace: float = 0.0
    """Seconds of the device's work to look at, after all else. Only of a GPU."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A decode step with every row live."""

    seconds: float
    """Median."""
    rows: int
    bytes: int
    """That it has to read at the least: the weights, and the keys and values of the rows."""
    bandwidth: float
    """Bytes a second, read and written, of a large copy on the device."""

    @property
    def least(self) -> float:
        """Seconds that reading takes at that rate."""
        return self.bytes / self.bandwidth


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one way to speak some texts. Utterances by their number."""

    audio: dict[int, float]
    """Seconds produced."""
    hashes: dict[int, str]
    """sha256 of the samples."""
    wall: float
    """Seconds from the first text to the last durable file."""
    first: float
    """Seconds to the first durable file."""
    stages: dict[str, float]
    """Seconds of each stage, by what is measured on this device."""
    rss: int
    """Bytes resident at most, from the start of the process."""
    allocated: int | None = None
    """Bytes of the GPU at most, in tensors."""
    reserved: int | None = None
    step: Step | None = None
    idle: float | None = None
    """Share of a window in which the GPU did nothing."""
    about: str = ""
    revision: str = ""

    @property
    def rate(self) -> float:
        """Audio seconds a second."""
        return sum(self.audio.values()) / self.wall

    @property
    def shares(self) -> dict[str, float]:
        """Of each stage in the sum of all."""
        total = sum(self.stages.values())
        return {name: seconds / total for name, seconds in self.stages.items()} if total else {}
