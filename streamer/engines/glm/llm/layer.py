"""One layer of the Llama: x + attention(norm(x)), then x + SwiGLU(norm(x))."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.llm.attention import Attention
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.products import multiplied, packed
from streamer.engines.glm.llm.rope import Angles


class Layer:
    def __init__(self, config: LlamaConfig, number: int, dtype: torch.dtype, device: torch.device) -> None:
        hidden, inner = config.hidden_size, config.intermediate_size
        self._epsilon = config.rms_norm_eps
        self.before_attention = torch.empty(hidden, dtype=dtype, device=device)
        self.attention = Attention(config, number, dtype, device)
        self.before_gate = torch.empty(hidden, dtype=dtype, device=device)
        self.gate_up = torch.empty(2 * inner, hidden, dtype=dtype, device=device)
        self.down = torch.empty(hidden, inner, dtype=dtype, device=device)

    def prefill(self, inputs: Tensor, angles: Angles, cache: KvCache, row: int, begin: int = 0) -> Tensor:
        """[T, hidden] → [T, hidden], of the positions from `begin` on."""
        normed = rms_norm(inputs, self.before_attention, self._epsilon)
        return self._feed_forward(inputs + self.attention.prefill(normed, angles, cache, row, begin))

    def pack(self, rows: int) -> None:
        """Lay out its matrices for batches of `rows`."""
        attention = self.attention
        attention.joint, attention.output = packed(attention.joint, rows), packed(attention.output, rows)
        self.gate_up, self.down = packed(self.gate_up, rows), packed(self.down, rows)

    def _feed_forward(self, inputs: Tensor) -> Tensor:
        normed = rms_norm(inputs, self.before_gate, self._epsilon)
        return inputs + multiplied(swiglu(multiplied(normed, self.gate_up)), self.down)


def rms_norm(inputs: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x / sqrt(mean(x^2) + epsilon) * weight over the last axis. Source: B. Zhang, R. Sennrich, 2019."""
    return functional.rms_norm(inputs, weight.shape, weight, epsilon)


def swiglu(gate_up: Tensor) -> Tensor:
    """[..., 2 * inner], the gate before what it opens → [..., inner]. Source: N. Shazeer, "GLU Variants", 2020.

    Not by torch's own `silu`: on a CPU it rounds numbers differently that lie at the end of a thread's share, and where
    that is in a batch depends on the row.
    """
    gate, up = gate_up.chunk(2, -1)
    wide = gate.to(torch.float32)
    return (wide / (1.0 + (-wide).exp()) * up).to(gate_up.dtype)
