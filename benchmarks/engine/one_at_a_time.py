"""A process that speaks as GLM-TTS is served elsewhere: one utterance, its file, the next. Prints `Figures`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import torch

from benchmarks.engine.files import Files, Kept
from benchmarks.engine.load import prompt, shortest
from benchmarks.engine.order import Figures, Order
from benchmarks.engine.plain.speaker import PlainSpeaker
from benchmarks.engine.shares import Shares
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.opening import open_device
from streamer.engines.glm.precision import exact
from streamer.engines.glm.vocoder.hift import Hift


def figures(order: Order, folder: Path) -> Figures:
    """Errors: OneSegment, those of opening the weights."""
    device = open_device(order.device)
    if order.threads:
        torch.set_num_threads(order.threads)
    exact()
    speaker = PlainSpeaker(Layout(Path(order.checkpoint)), device, Path(order.cache), prompt())
    if order.whole_before:
        (text,) = shortest(order.texts, 1)
        speaker.speak(text.text, text.number, Shares())
    files, shares, kept = Files(folder, Hift.sample_rate), Shares(), dict[int, Kept]()
    began = time.perf_counter()
    for text in order.texts:
        samples = speaker.speak(text.text, text.number, shares)
        with shares.of("files"):
            kept[text.number] = files.keep(text.number, samples)
    files.close()
    return Figures(
        audio={number: one.seconds for number, one in kept.items()},
        hashes={number: one.sha256 for number, one in kept.items()},
        wall=max(one.at for one in kept.values()) - began,
        first=min(one.at for one in kept.values()) - began,
        stages=shares.seconds,
        rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        allocated=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        reserved=torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None,
        about=f"fp32, one row, {device}",
    )


def main(text: str) -> None:
    order = msgspec.json.decode(text, type=Order)
    with tempfile.TemporaryDirectory() as folder:
        found = figures(order, Path(folder))
    print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
