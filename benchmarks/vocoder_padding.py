"""`python -m benchmarks.vocoder_padding`: what a shape that depends on the request alone costs the 24 kHz vocoder.

Each length is computed at its own length and padded to its bucket, by the tiny checkpoint and by random weights of the
official sizes. Time is one thread's own CPU time, the best of `--repeats`, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.report import publish
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.shapes import VERSION, bucket
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.sizes import sizes_of
from streamer.engines.glm.vocoder.weight_norm import folded

_GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
_FRAMES_A_SECOND = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 128, 290], help="lengths of the mels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    vocoders = {
        "tiny": Hift.open(Layout(_GOLDEN / "tiny" / "ckpt"), torch.device("cpu")),
        "official sizes": official(_GOLDEN / "shapes" / "shapes_hift.json"),
    }
    rows: list[tuple[object, ...]] = []
    for name, hift in vocoders.items():
        for frames in arguments.frames:
            padded = bucket(frames)
            exact, filled = (best(hift, frames, size, arguments.repeats) for size in (frames, padded))
            seconds = frames / _FRAMES_A_SECOND
            rows.append(
                (
                    name,
                    frames,
                    padded,
                    round(exact, 3),
                    round(filled, 3),
                    round(filled / exact, 2),
                    round(filled / seconds, 3),
                )
            )
    publish(
        "vocoder_padding",
        "HiFT at the exact length and padded to its bucket, one row",
        ("weights", "frames", "bucket", "exact (s)", "bucket (s)", "×", "RTF of the bucket"),
        rows,
        threads=1,
        torch=torch.__version__,
        shape_table=VERSION,
        repeats=arguments.repeats,
    )


def official(shapes: Path) -> Hift:
    """Seeded random weights in the shapes of the published file."""
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(shape, generator=generator) * 0.02 + (0.3 if name.endswith("original0") else 0.0)
        for name, shape in json.loads(shapes.read_text()).items()
    }
    weights = folded(tensors, shapes)
    hift = Hift(sizes_of(weights, shapes))
    hift.load_state_dict(weights)
    return hift.requires_grad_(False).eval()


def best(hift: Hift, frames: int, size: int, repeats: int) -> float:
    """CPU seconds of the fastest run of one row of `frames` frames in a shape of `size`."""
    generator = torch.Generator().manual_seed(0)
    mel: Tensor = torch.randn(1, hift.mels, size, generator=generator)
    noise = torch.randn(1, hift.hop * size, hift.harmonics, generator=generator)
    inputs = mel, torch.tensor([frames]), torch.zeros(1, hift.harmonics), noise
    hift(*inputs)
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        hift(*inputs)
        times.append(time.thread_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
