"""Looking at the stages of an open engine from outside: how long each call takes, or what a GPU is asked for by it."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.engine import trace
from benchmarks.engine.load import Text, utterance
from benchmarks.engine.shares import Shares
from benchmarks.engine.speaking import Busy
from streamer.engines.glm.stages.base import Stage
from streamer.engines.glm.synthesizer import GlmSynthesizer, Parts
from streamer.voices import Voice


def stages(parts: Parts) -> dict[str, Stage]:
    return {"LLM": parts.llm, "flow": parts.flow, "vocoder": parts.vocoder}


class Clocks:
    """The calls' own time: of use where a call returns when its work is done, as on a CPU."""

    def __init__(self, parts: Parts, rows: int) -> None:
        """`rows`: of the LLM."""
        self.full: list[float] = []
        """Seconds of the LLM's steps in which every row was live."""
        self._shares, self._rows = Shares(), rows
        self._llm = parts.llm
        for name, stage in stages(parts).items():
            each = self._note if name == "LLM" else _nothing
            stage.step = self._shares.timed(name, stage.step, each)  # type: ignore[method-assign]

    def seconds(self, stepping: float) -> dict[str, float]:
        """By stage. `stepping`: seconds in all of the engine's steps, the rest of which is the fourth stage's."""
        found = self._shares.seconds
        return {**found, "text and voice": max(0.0, stepping - sum(found.values()))}

    def _note(self, spent: float) -> None:
        if len(self._llm.working) == self._rows:
            self.full.append(spent)


def traced(engine: GlmSynthesizer, texts: Sequence[Text], voice: Voice, concurrency: int, seconds: float) -> trace.Seen:
    """A window of some seconds of an engine under its whole load. Errors: ValueError where the trace shows no work."""
    for name, stage in stages(engine.parts).items():
        stage.step = _ranged(trace.STAGE + name, stage.step)  # type: ignore[method-assign]
    done: list[int] = []
    endless = ((text.number, utterance(text, voice)) for text in itertools.cycle(texts))
    busy = Busy(engine, endless, concurrency, lambda number, _: done.append(number))
    while len(done) < min(concurrency, len(texts)):  # until then stages stand still that nothing has come to
        busy.turn()
    torch.cuda.synchronize()
    both = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=both, acc_events=True) as profiled, record_function(trace.WINDOW):
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            busy.turn()
        torch.cuda.synchronize()
    busy.stop()
    return trace.seen(events(profiled))


def events(profiled: profile) -> list[dict[str, Any]]:
    """The `traceEvents` of what was profiled."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(file))
        found: list[dict[str, Any]] = json.loads(file.read_bytes())["traceEvents"]
    return found


def _ranged(name: str, work: Callable[[], Any]) -> Callable[[], Any]:
    def ranged() -> Any:
        with record_function(name):
            return work()

    return ranged


def _nothing(spent: float) -> None:
    """Of other stages nothing more is noted."""
