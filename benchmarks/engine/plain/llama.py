"""Llama for one row: every product a linear layer of its own, keys and values grown by a position at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.engine.plain.draws import Draws
from benchmarks.engine.plain.ras import ras
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.shapes.llm import OUTPUT
from streamer.engines.glm.checkpoint.tensors import each_tensor
from streamer.engines.glm.llm.config import read_config

_EMBEDDING = "model.embed_tokens.weight"


class Past(NamedTuple):
    """Of one layer, each [1, KV heads, positions, head]."""

    keys: Tensor
    values: Tensor


class PlainLlama:
    def __init__(self, layout: Layout, device: torch.device) -> None:
        """All of the weights in float32. Errors: CheckpointError."""
        self.config = read_config(layout.llm / "config.json")
        self._device = device
        self._weights = {name: tensor.to(device, torch.float32) for name, tensor in each_tensor(layout.llm)}
        self._output = self._weights[_EMBEDDING if self.config.tie_word_embeddings else OUTPUT]
        channels = torch.arange(0, self.config.head, 2, dtype=torch.float32, device=device) / self.config.head
        self._frequencies = float(self.config.theta) ** -channels
        self._past: list[Past | None] = []

    def speak(self, ids: Sequence[int], least: int, most: int, end: int, draws: Draws) -> list[int]:
        """The ids that follow; without the end."""
        self._past = [None] * self.config.num_hidden_layers
        spoken: list[int] = []
        given = list(ids)
        while len(spoken) < most:
            logits = self.logits(given)
            chosen = ras(logits, spoken, end, early=len(spoken) < least, draws=draws)
            if chosen == end:
                break
            spoken.append(chosen)
            given = [chosen]
        return spoken

    def logits(self, ids: Sequence[int]) -> Tensor:
        """Of the last of some ids that follow what was given before, [vocabulary]."""
        vectors = functional.embedding(torch.tensor(ids, device=self._device), self._weights[_EMBEDDING])
        first = self._past[0]
        angles = self._angles(0 if first is None else first.keys.shape[2], len(ids))
        for layer in range(self.config.num_hidden_layers):
            vectors = self._layer(layer, vectors, angles)
        return functional.linear(self._norm("model.norm.weight", vectors[-1]), self._output)

    def _layer(self, layer: int, vectors: Tensor, angles: Tensor) -> Tensor:
        """[T, hidden] → the same."""
        name, w = f"model.layers.{layer}", self._weights
        normed = self._norm(f"{name}.input_layernorm.weight", vectors)
        queries, keys, values = (
            self._heads(functional.linear(normed, w[f"{name}.self_attn.{part}_proj.weight"])) for part in "qkv"
        )
        seen = self._attend(layer, rotated(queries, angles), rotated(keys, angles), values)
        vectors = vectors + functional.linear(seen, w[f"{name}.self_attn.o_proj.weight"])
        normed = self._norm(f"{name}.post_attention_layernorm.weight", vectors)
        gate = functional.silu(functional.linear(normed, w[f"{name}.mlp.gate_proj.weight"]))
        opened = gate * functional.linear(normed, w[f"{name}.mlp.up_proj.weight"])
        return vectors + functional.linear(opened, w[f"{name}.mlp.down_proj.weight"])

    def _attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        past = self._past[layer]
        if past is not None:
            keys, values = torch.cat((past.keys, keys), 2), torch.cat((past.values, values), 2)
        self._past[layer] = Past(keys, values)
        seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=past is None, enable_gqa=True)
        return seen[0].transpose(0, 1).flatten(1)

    def _heads(self, vectors: Tensor) -> Tensor:
        """[T, heads * head] → [1, heads, T, head]"""
        return vectors.view(len(vectors), -1, self.config.head).transpose(0, 1)[None]

    def _angles(self, first: int, count: int) -> Tensor:
        """[T, head / 2]"""
        places = torch.arange(first, first + count, dtype=torch.float32, device=self._device)
        return torch.outer(places, self._frequencies)

    def _norm(self, name: str, vectors: Tensor) -> Tensor:
        weight = self._weights[name]
        return functional.rms_norm(vectors, weight.shape, weight, self.config.rms_norm_eps)


def rotated(heads: Tensor, angles: Tensor) -> Tensor:
    """[1, heads, T, head]: channel i turns with channel i + head / 2."""
    left, right = heads.chunk(2, -1)
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat((left * cosine - right * sine, right * cosine + left * sine), -1)
