"""A process that speaks with the engine glm, so many utterances at once; prints `Figures`."""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch

from benchmarks.engine import reading
from benchmarks.engine.files import Files, Pool
from benchmarks.engine.load import Text, prompt, shortest, utterance, voice
from benchmarks.engine.order import Figures, Order, Step
from benchmarks.engine.speaking import Busy
from benchmarks.engine.watching import Clocks, traced
from streamer.engines.base import Samples
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.llm.config import read_config
from streamer.engines.glm.opening import open_device, open_glm
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.observe.logs import logger
from streamer.settings import Glm, Settings

_SPOKEN = 20
"""Speech tokens for a text token."""
_PROMPT_TOKENS = 125
_FIRST_STEPS = 3
_BYTES = {"fp32": 4, "bf16": 2}


class Ours:
    def __init__(self, order: Order) -> None:
        """Errors: those of opening the engine."""
        self._order = order
        given = {name: getattr(order, name) for name in ("checkpoint", "cache", "device", "threads")}
        self._settings = Glm.model_validate(given | order.settings)
        self._device = open_device(self._settings.device)
        self._engine = open_glm(self._settings, logger("warning"))
        self._voice = voice()

    def figures(self, folder: Path) -> Figures:
        """Speak all, the files into `folder`. Errors: NotSpoken."""
        order, engine = self._order, self._engine
        self._warm_up()
        clocks = Clocks(engine.parts, self._settings.rows) if self._device.type == "cpu" else None
        files = Files(folder, engine.profile.sample_rate)
        pool, began = Pool(files, Settings().store.threads), time.perf_counter()
        self._speak(order.texts, order.concurrency, pool.keep)
        stepping = time.perf_counter() - began
        kept = pool.finish()
        found = Figures(
            audio={number: one.seconds for number, one in kept.items()},
            hashes={number: one.sha256 for number, one in kept.items()},
            wall=max(one.at for one in kept.values()) - began,
            first=min(one.at for one in kept.values()) - began,
            stages={},
            rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            about=engine.profile.about.replace(order.checkpoint, "weights of noise"),
            revision=engine.profile.revision,
        )
        files.close()
        if clocks is not None:
            stages = {**clocks.seconds(stepping), "files": pool.seconds}
            return msgspec.structs.replace(found, stages=stages, step=self._step(clocks.full))
        return self._with_device(found)

    def _with_device(self, found: Figures) -> Figures:
        """What is to be known of a GPU."""
        order = self._order
        found = msgspec.structs.replace(
            found,
            allocated=torch.cuda.max_memory_allocated(self._device),
            reserved=torch.cuda.max_memory_reserved(self._device),
        )
        if not order.trace:
            return found
        try:
            seen = traced(self._engine, order.texts, self._voice, order.concurrency, order.trace)
        except ValueError as error:  # a driver that lets nobody look
            print(f"no device time: {error}", file=sys.stderr, flush=True)
            return found
        full = seen.steps.get("LLM", []) if order.concurrency >= self._settings.rows else []
        return msgspec.structs.replace(found, stages=seen.stages, idle=seen.idle, step=self._step(full))

    def _warm_up(self) -> None:
        """The voice is encoded, the text's grammar read and memory taken, none of which is counted."""
        (text,) = shortest(self._order.texts, 1)
        if self._order.whole_before:
            self._speak([text], 1, lambda number, samples: None)
            return
        ticket = self._engine.submit(utterance(text, self._voice))
        for _ in range(_FIRST_STEPS):
            self._engine.step()
        self._engine.cancel(ticket)

    def _speak(self, texts: Sequence[Text], concurrency: int, spoken: Callable[[int, Samples], None]) -> None:
        utterances = ((text.number, utterance(text, self._voice)) for text in texts)
        busy = Busy(self._engine, utterances, concurrency, spoken)
        while busy.turn():
            pass

    def _step(self, full: Sequence[float]) -> Step | None:
        """`full`: seconds of steps with every row live."""
        if not full:
            return None
        layout, rows = Layout(Path(self._order.checkpoint)), self._settings.rows
        config, tokenizer = read_config(layout.llm / "config.json"), Tokenizer.open(layout)
        size = _BYTES[_precision(self._engine.profile.revision)]
        columns = tokenizer.special.audio_last - tokenizer.special.audio_first + 2  # and the end
        known = len(tokenizer.encode(prompt().text)) + 1 + _PROMPT_TOKENS
        positions = reading.mean_positions(self._order.texts, known, _SPOKEN)
        read = reading.weights(config, columns, size) + reading.live_keys(config, positions, rows, size)
        rate = reading.bandwidth(self._device)
        return Step(seconds=statistics.median(full), rows=rows, bytes=read, bandwidth=rate)


def _precision(revision: str) -> str:
    """Of the LLM, as it was decided where the settings leave that open."""
    facts = dict(pair.partition("=")[::2] for pair in revision.split())
    return facts["precision"].partition(",")[0]


def main(text: str) -> None:
    order = msgspec.json.decode(text, type=Order)
    with tempfile.TemporaryDirectory() as folder:
        figures = Ours(order).figures(Path(folder))
    print(msgspec.json.encode(figures).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
