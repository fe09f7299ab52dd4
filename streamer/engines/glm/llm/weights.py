"""The LLM's weights, tensor by tensor from the files into their place, so that no second copy is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.shapes.llm import OUTPUT, llm_shapes
from streamer.engines.glm.checkpoint.tensors import each_tensor, flaw_of, headers, misfits, summary
from streamer.errors import CheckpointError

if TYPE_CHECKING:
    from streamer.engines.glm.llm.llama import Llama

EMBEDDING = "model.embed_tokens.weight"
_COMPUTED = ".rotary_emb.inv_freq"
"""Older files hold what is computed from the configuration."""


def load(model: Llama, folder: Path) -> None:
    """Give the model the weights of a folder, in its own precision.

    Where input and output share a matrix (`tie_word_embeddings`), an output matrix in the file is passed over, as
    transformers does. Errors: CheckpointError that names file and tensor; the model is then half filled.
    """
    tied = model.config.tie_word_embeddings
    found = {name: header for name, header in headers(folder).items() if not _passed_over(name, tied)}
    if problems := misfits(folder, found, llm_shapes(model.config, tied=tied)):
        raise CheckpointError(summary(problems))
    places = dict(_places(model))
    for name, tensor in each_tensor(folder):
        if _passed_over(name, tied):
            continue
        if flaw := flaw_of(tensor):
            raise CheckpointError(f"{found[name].file}: tensor {name} {flaw}")
        if name in places:
            places[name].copy_(tensor)
        if name == (EMBEDDING if tied else OUTPUT):
            model.output.copy_(tensor[torch.tensor(model.columns.ids)])


def _passed_over(name: str, tied: bool) -> bool:
    return name.endswith(_COMPUTED) or (tied and name == OUTPUT)


def _places(model: Llama) -> Iterator[tuple[str, Tensor]]:
    """Name in the file → where it goes; what is multiplied by the same vector lies in one matrix."""
    config = model.config
    shared = config.num_key_value_heads * config.head
    yield EMBEDDING, model.embedding
    yield "model.norm.weight", model.norm
    for number, layer in enumerate(model.layers):
        name = f"model.layers.{number}"
        yield f"{name}.input_layernorm.weight", layer.before_attention
        yield f"{name}.post_attention_layernorm.weight", layer.before_gate
        joint = layer.attention.joint
        ends = len(joint) - 2 * shared, len(joint) - shared
        for part, rows in zip("qkv", joint.tensor_split(ends), strict=True):
            yield f"{name}.self_attn.{part}_proj.weight", rows
        yield f"{name}.self_attn.o_proj.weight", layer.attention.output
        for part, rows in zip(("gate", "up"), layer.gate_up.chunk(2), strict=True):
            yield f"{name}.mlp.{part}_proj.weight", rows
        yield f"{name}.mlp.down_proj.weight", layer.down
