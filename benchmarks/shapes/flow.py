"""The flow: a whole run of one mel, at its own length and in its bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmarks.shapes.comparison import SHORT, Comparison
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.sizes import CODES
from streamer.engines.glm.flow.config import SPEAKER, FlowConfig
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.flow.run import FlowRun
from streamer.engines.glm.shapes import bucket

_TOKENS = (65, 145, 225)
"""Of the prompt and the segment together: 2.6 to 9 seconds."""


def tiny(layout: Layout) -> Iterator[Comparison]:
    yield from _comparisons(Flow.open(layout, torch.device("cpu")), "tiny", SHORT)


def official() -> Iterator[Comparison]:
    torch.manual_seed(0)
    flow = Flow(FlowConfig(depth=1, vocab_size=CODES)).requires_grad_(False).eval()
    # The only weights that are not drawn when it is made.
    flow.estimator.text_emb_layer.text_embed.weight.normal_()
    yield from _comparisons(flow, "official sizes, 1 block")


def _comparisons(flow: Flow, weights: str, often: int = 1) -> Iterator[Comparison]:
    for tokens in _TOKENS:
        frames = frames_of(tokens)
        padded = bucket(frames)
        free, fixed = (_run(flow, tokens, size) for size in (frames, padded))
        yield Comparison("flow", weights, f"{frames} frames", f"{padded} frames", free, fixed, often)


def _run(flow: Flow, tokens: int, size: int) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    frames, mels = frames_of(tokens), flow.config.mel_dim
    job = FlowJob(
        torch.randint(0, CODES, (tokens,), generator=generator),
        torch.randn(frames // 3, mels, generator=generator),
        torch.randn(SPEAKER, generator=generator),
        torch.randn(frames, mels, generator=generator),
    )

    def work() -> None:
        run = FlowRun(flow, [job], 1, size)
        while not run.advance():
            pass

    return work
