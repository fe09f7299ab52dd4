"""LlamaForCausalLM, as far as speech needs it: RMS norms before attention and SwiGLU, rotary positions.

Rows of the output matrix that no speech token has are not kept. Logits are computed in float32 in every precision, for
in bfloat16 tokens of different likelihood would be equals.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.llm.audio import AudioTokens, Columns, columns_of
from streamer.engines.glm.llm.cache import KvCache
from streamer.engines.glm.llm.config import LlamaConfig, read_config
from streamer.engines.glm.llm.layer import Layer, rms_norm
from streamer.engines.glm.llm.products import multiplied, packed
from streamer.engines.glm.llm.rope import Angles, Rope
from streamer.engines.glm.llm.weights import load
from streamer.errors import CheckpointError, EngineError


class Llama:
    """Weights, and a pass of an input over them (of a token: step.py; of an input on a GPU: stretches.py). What rows
    hold is in a `KvCache`."""

    def __init__(self, config: LlamaConfig, columns: Columns, device: torch.device, dtype: torch.dtype) -> None:
        """The weights are yet to be given. `columns`: of the logits."""
        self.config, self.columns, self.device, self.dtype = config, columns, device, dtype
        hidden = config.hidden_size
        self.embedding = torch.empty(config.vocab_size, hidden, dtype=dtype, device=device)
        self.layers = [Layer(config, number, dtype, device) for number in range(config.num_hidden_layers)]
        self.norm = torch.empty(hidden, dtype=torch.float32, device=device)
        self.output = torch.empty(len(columns.ids), hidden, dtype=torch.float32, device=device)
        self._rope = Rope(config.max_position_embeddings, config.head, float(config.theta), device)

    @classmethod
    def open(cls, layout: Layout, device: torch.device, dtype: torch.dtype, special: AudioTokens) -> Llama:
        """Errors: CheckpointError that names the file, and the field or tensor."""
        path = layout.llm / "config.json"
        config, columns = read_config(path), columns_of(special)
        if (highest := max(columns.ids)) >= config.vocab_size:
            raise CheckpointError(f"{path}: `vocab_size` is {config.vocab_size}, and the tokenizer knows id {highest}")
        model = cls(config, columns, device, dtype)
        load(model, layout.llm)
        return model

    def cache(self, rows: int, positions: int) -> KvCache:
        """Errors: EngineError where the model knows fewer positions."""
        if positions > (most := self.config.max_position_embeddings):
            raise EngineError(f"{positions} positions a row are more than the {most} that the LLM knows")
        return KvCache(self.config, rows, positions, self.dtype, self.device)

    def angles(self, count: int) -> Angles:
        """Of the first positions."""
        return self._rope.first(count)

    @property
    def products(self) -> list[Tensor]:
        """The matrices that every row is multiplied by in a step, [out, in], one of each shape."""
        first = self.layers[0]
        return [first.attention.joint, first.attention.output, first.gate_up, first.down, self.output]

    def pack(self, rows: int) -> None:
        """Lay out the matrices for decoding so many rows, one after the other: no second copy is ever in memory."""
        for layer in self.layers:
            layer.pack(rows)
        self.output = packed(self.output, rows)

    def prefill(self, ids: Tensor, cache: KvCache, row: int, begin: int = 0) -> Tensor:
        """A stretch of a row's positions from `begin` on, [T] int64, into the cache; what the last layer makes of it,
        [T, hidden]. What lies before `begin` is there already.

        Each position sees itself and those before it, so that padding at the end changes nothing.
        """
        inputs = functional.embedding(ids, self.embedding)
        angles = Angles(*(part[begin:] for part in self.angles(begin + len(ids))))
        for layer in self.layers:
            inputs = layer.prefill(inputs, angles, cache, row, begin)
        return inputs

    def final(self, hidden: Tensor) -> Tensor:
        """[..., hidden] after the last norm, float32."""
        return rms_norm(hidden.to(torch.float32), self.norm, self.config.rms_norm_eps)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., hidden] of the last layer → [..., columns] float32."""
        return multiplied(self.final(hidden), self.output)
