"""The LLM: a step of always all rows against one of as many rows as live; prefill in its bucket or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.shapes.comparison import SHORT, Comparison
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.sizes import CODES
from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.llm.audio import Columns
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import ras
from streamer.engines.glm.shapes import bucket
from streamer.engines.glm.text.front import TextFront

ROWS = 8
_LIVE = (1, 2, 4, 8)
_LENGTHS = (130, 290, 450)
_DEPTH = 28
_INPUT, _SPOKEN, _POSITIONS = 300, 400, 1024
"""Of a row: ids that it begins with, tokens that it may speak, and what it has room for. Steps read two blocks of keys
throughout: position 512 is not reached."""
_CPU = torch.device("cpu")


class _Unfilled(Llama):
    """Begins at once. Keys and values stay zeros, which cost a step as much as others."""

    def prefill(self, ids: Tensor, cache: KvCache, row: int, begin: int = 0) -> Tensor:
        return torch.empty(0)


def tiny(layout: Layout, front: TextFront) -> Iterator[Comparison]:
    model = Llama.open(layout, _CPU, torch.float32, front.special)
    yield from _decode(model, "tiny", SHORT)
    yield from _prefill(model, "tiny", SHORT)


def official() -> Iterator[Comparison]:
    yield from _decode(_random(_Unfilled, _DEPTH), f"official sizes, {_DEPTH} layers", 1)
    yield from _prefill(_random(Llama, 1), "official sizes, 1 layer", 1)


def _decode(model: Llama, weights: str, often: int) -> Iterator[Comparison]:
    for live in _LIVE:
        yield Comparison(
            "LLM step",
            weights,
            f"{live} row{'s' * (live > 1)}",
            f"{ROWS} rows",
            _step(model, live, live),
            _step(model, ROWS, live),
            often,
        )


def _step(model: Llama, rows: int, live: int) -> Callable[[], object]:
    decoder = Decoder(model, rows, _POSITIONS, ras)
    ids = [model.columns.ids[model.columns.audio + place] for place in range(_INPUT)]
    for segment in range(live):
        # With as many as it may speak at the least, none ends meanwhile.
        decoder.begin(DecoderJob(ids, _SPOKEN, _SPOKEN, CounterDraws(0, segment)))
    while decoder.filling:
        decoder.step()
    return decoder.step


def _prefill(model: Llama, weights: str, often: int) -> Iterator[Comparison]:
    cache = model.cache(1, _POSITIONS)
    for length in _LENGTHS:
        padded = bucket(length)
        free, fixed = (_fill(model, cache, length, size) for size in (length, padded))
        yield Comparison("LLM prefill", weights, f"{length} ids", f"{padded} ids", free, fixed, often)


def _fill(model: Llama, cache: KvCache, length: int, size: int) -> Callable[[], object]:
    ids = torch.zeros(size, dtype=torch.int64)
    ids[:length] = torch.arange(length)

    @torch.inference_mode()
    def work() -> None:
        model.prefill(ids, cache, 0)

    return work


def _random(kind: type[Llama], depth: int) -> Llama:
    """As wide as the published model, every layer with the weights of the first: they fit no processor's cache."""
    config = LlamaConfig(
        model_type="llama",
        hidden_act="silu",
        vocab_size=CODES + 1,
        hidden_size=2048,
        intermediate_size=6144,
        num_hidden_layers=depth,
        num_attention_heads=16,
        num_key_value_heads=4,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_theta=10_000.0,
    )
    model = kind(config, Columns(tuple(range(CODES + 1)), CODES, 0), _CPU, torch.float32)
    first = model.layers[0]
    _draw([model.embedding, model.output, first.attention.joint, first.attention.output, first.gate_up, first.down])
    for vector in (model.norm, first.before_attention, first.before_gate):
        vector.fill_(1.0)
    for layer in model.layers[1:]:
        layer.before_attention, layer.before_gate = first.before_attention, first.before_gate
        layer.attention.joint, layer.attention.output = first.attention.joint, first.attention.output
        layer.gate_up, layer.down = first.gate_up, first.down
    return model


def _draw(weights: Sequence[Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        weight.normal_(0.0, weight.shape[1] ** -0.5, generator=generator)
