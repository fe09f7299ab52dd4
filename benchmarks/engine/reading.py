"""What a decode step has to read, and how fast the device reads."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from benchmarks.engine.load import Text
from streamer.engines.glm.llm.config import LlamaConfig

_LARGE = {"cpu": 256 << 20, "cuda": 2 << 30}
"""Bytes: more than any cache."""
_TIMES = 7


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a copy within the device's memory reads and writes, the best of some."""
    source = torch.ones(_LARGE[device.type] // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    best = min(_seconds(source, target) for _ in range(_TIMES))
    return 2 * source.nbytes / best


def _seconds(source: torch.Tensor, target: torch.Tensor) -> float:
    cuda = source.device.type == "cuda"
    if cuda:
        torch.cuda.synchronize(source.device)
    began = time.perf_counter()
    target.copy_(source)
    if cuda:
        torch.cuda.synchronize(source.device)
    return time.perf_counter() - began


def weights(config: LlamaConfig, columns: int, size: int) -> int:
    """Bytes of the matrices that a step multiplies by, `size` bytes a number; `columns`: of the logits."""
    heads = (2 * config.num_attention_heads + 2 * config.num_key_value_heads) * config.head
    layer = config.hidden_size * (heads + 3 * config.intermediate_size)
    return size * (config.num_hidden_layers * layer + columns * config.hidden_size)


def live_keys(config: LlamaConfig, positions: float, rows: int, size: int) -> int:
    """Bytes of keys and values of so many rows, at so many positions each."""
    each = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head
    return round(size * each * positions * rows)


def mean_positions(texts: Sequence[Text], prompt: int, spoken: int) -> float:
    """Of a row at a step, over all steps of all texts. `prompt`: positions of what stands before and behind the text;
    `spoken`: speech tokens for a text token, one a step."""
    steps = sum(spoken * text.tokens for text in texts)
    return sum((prompt + text.tokens + spoken * text.tokens / 2) * spoken * text.tokens for text in texts) / steps
