"""HiFT, the vocoder for 24 kHz: one mel at its own length and in its bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.shapes.comparison import SHORT, Comparison
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes, hift_shapes
from streamer.engines.glm.shapes import bucket
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.sizes import sizes_of
from streamer.engines.glm.vocoder.weight_norm import folded

_FRAMES = (130, 290, 450)
_OFFICIAL = HiftSizes(512, 512)


def tiny(layout: Layout) -> Iterator[Comparison]:
    yield from _comparisons(Hift.open(layout, torch.device("cpu")), "tiny", SHORT)


def official() -> Iterator[Comparison]:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.02 + (0.3 if name.endswith("original0") else 0.0)
        for name, shape in hift_shapes(_OFFICIAL).items()
    }
    nowhere = Path("random weights")
    weights = folded(tensors, nowhere)
    hift = Hift(sizes_of(weights, nowhere))
    hift.load_state_dict(weights)
    yield from _comparisons(hift.requires_grad_(False).eval(), "official sizes")


def _comparisons(hift: Hift, weights: str, often: int = 1) -> Iterator[Comparison]:
    for frames in _FRAMES:
        padded = bucket(frames)
        free, fixed = (_run(hift, frames, size) for size in (frames, padded))
        yield Comparison("HiFT", weights, f"{frames} frames", f"{padded} frames", free, fixed, often)


def _run(hift: Hift, frames: int, size: int) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    mel = torch.randn(1, hift.mels, size, generator=generator)
    noise = torch.randn(1, hift.hop * size, hift.harmonics, generator=generator)
    phase = torch.zeros(1, hift.harmonics)

    @torch.inference_mode()
    def work() -> None:
        hift(mel, torch.tensor([frames]), phase, noise)

    return work
