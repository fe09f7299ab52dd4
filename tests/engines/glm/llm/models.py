"""Models of the LLM's tests: the golden checkpoint, and seeded ones of other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamer.engines.glm.llm.audio import Columns, columns_of
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from tests.engines.glm.golden import TINY, document

CPU = torch.device("cpu")
FP32, BF16 = torch.float32, torch.bfloat16

_IDS = document("tiny/tiny")["ids"]
BEGIN_OF_AUDIO: int = _IDS["boa"]
AUDIO_0: int = _IDS["ats"]
END: int = _IDS["eoa"]


class Special(NamedTuple):
    end_of_audio: int
    audio_first: int
    audio_last: int


SPEECH = Special(END, AUDIO_0, _IDS["ate"])
EVERYTHING = Special(_IDS["vocab"] - 1, 0, _IDS["vocab"] - 2)
"""All ids, in their order."""
SMALL = Special(7, 20, 279)
"""Of models that `seeded` makes."""

SIZES: dict[str, Any] = {
    "model_type": "llama",
    "hidden_act": "silu",
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
WIDE: dict[str, Any] = SIZES | {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 1,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
}
"""One layer as wide as the official ones."""


@cache
def golden(special: Special = SPEECH, dtype: torch.dtype = FP32) -> Llama:
    return Llama.open(TINY, CPU, dtype, special)


def seeded(
    sizes: dict[str, Any], dtype: torch.dtype, columns: Columns | None = None, device: torch.device = CPU
) -> Llama:
    """Random weights, of which every tensor matters; on every device the same."""
    model = Llama(LlamaConfig(**sizes), columns or columns_of(SMALL), device, dtype)
    generator = torch.Generator().manual_seed(0)

    def draw(weight: Tensor, scale: float, around: float = 0.0) -> None:
        drawn = torch.empty(weight.shape, dtype=weight.dtype)
        weight.copy_(drawn.uniform_(around - scale, around + scale, generator=generator))

    draw(model.embedding, 1.7)
    draw(model.norm, 0.2, around=1.0)
    draw(model.output, 4.0 * model.config.hidden_size**-0.5)
    for layer in model.layers:
        draw(layer.before_attention, 0.2, around=1.0)
        draw(layer.before_gate, 0.2, around=1.0)
        for weight in (layer.attention.joint, layer.attention.output, layer.gate_up, layer.down):
            draw(weight, 2.0 * weight.shape[1] ** -0.5)
    return model


def some_ids(count: int, seed: int, vocabulary: int = 300) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocabulary, (count,), generator=generator).tolist()


def same(left: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    """Bit by bit."""
    return len(left) == len(right) and all(torch.equal(one, other) for one, other in zip(left, right, strict=True))


def spoken(decoder: Decoder, jobs: Sequence[DecoderJob]) -> list[list[int] | None]:
    """What each speaks, all of them together as far as there are rows."""
    waiting, rows, ended = list(enumerate(jobs)), dict[int, int](), dict[int, list[int] | None]()
    while waiting or rows:
        while waiting and decoder.free:
            number, job = waiting.pop(0)
            rows[decoder.begin(job)] = number
        ended |= {rows.pop(row): tokens for row, tokens in decoder.step().items()}
    return [ended[number] for number in range(len(jobs))]
