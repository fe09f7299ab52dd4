"""What a pass over all layers puts down between its kernels, and the parts of a layer on both sides of its attention.

A decode step and a stretch of an input have them in common. All lies at fixed places, so that both can be captured.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import StepKernels
from streamer.engines.glm.llm.layer import Layer
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.products import multiplied


class Rooms:
    """Of N positions."""

    def __init__(self, model: Llama, kernels: StepKernels, tensors: Sequence[Tensor]) -> None:
        self._model, self._kernels, self._tensors = model, kernels, tensors
        self.residual, self._normed, self.queries, self.seen, self._opened = tensors
        """[N, hidden], the same, [N, H, D], [N, H * D] for what attention makes, [N, inner]."""

    @classmethod
    def of(cls, model: Llama, kernels: StepKernels, count: int) -> Rooms:
        config = model.config
        hidden, heads, head = config.hidden_size, config.num_attention_heads, config.head
        shapes = (hidden,), (hidden,), (heads, head), (heads * head,), (config.intermediate_size,)
        tensors = [torch.zeros(count, *shape, dtype=model.dtype, device=model.device) for shape in shapes]
        return cls(model, kernels, tensors)

    def first(self, count: int) -> Rooms:
        """Those of the first positions, in the same memory."""
        return Rooms(self._model, self._kernels, [tensor[:count] for tensor in self._tensors])

    def enter(self, ids: Tensor) -> None:
        """What the layers begin with. `ids`: [N] int64."""
        torch.index_select(self._model.embedding, 0, ids, out=self.residual)

    def projected(self, layer: Layer, left_open: Tensor | None) -> Tensor:
        """Up to a layer's attention: queries, keys and values, [N, (H + 2 K) * D]. `left_open`: the sum that the layer
        before it has left."""
        epsilon = self._model.config.rms_norm_eps
        self._kernels.add_rms_norm(self.residual, left_open, layer.before_attention, epsilon, self._normed)
        return multiplied(self._normed, layer.attention.joint)

    def left_open(self, layer: Layer) -> Tensor:
        """From what attention has put into `seen` on: what is still to be added to the residual, [N, hidden]."""
        epsilon = self._model.config.rms_norm_eps
        attended = multiplied(self.seen, layer.attention.output)
        self._kernels.add_rms_norm(self.residual, attended, layer.before_gate, epsilon, self._normed)
        self._kernels.swiglu(multiplied(self._normed, layer.gate_up), self._opened)
        return multiplied(self._opened, layer.down)
