"""Shapes of llm/: Llama, as transformers names it."""

from __future__ import annotations

import msgspec

from streamer.engines.glm.checkpoint.shapes import Shapes, linear

OUTPUT = "lm_head.weight"


class LlamaSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What llm/config.json says about sizes."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int | None = None
    attention_bias: bool = False
    mlp_bias: bool = False

    @property
    def head(self) -> int:
        """Channels of a head; transformers' default where the file names none."""
        return self.head_dim or self.hidden_size // self.num_attention_heads


def llm_shapes(sizes: LlamaSizes, *, tied: bool) -> Shapes:
    """Of every tensor; where `tied`, the output matrix is the embedding and is not stored."""
    hidden, bias = sizes.hidden_size, sizes.attention_bias
    queries, keys = sizes.num_attention_heads * sizes.head, sizes.num_key_value_heads * sizes.head
    shapes: Shapes = {"model.embed_tokens.weight": (sizes.vocab_size, hidden)}
    for number in range(sizes.num_hidden_layers):
        layer = f"model.layers.{number}"
        attention, mlp = f"{layer}.self_attn", f"{layer}.mlp"
        shapes |= {f"{layer}.input_layernorm.weight": (hidden,), f"{layer}.post_attention_layernorm.weight": (hidden,)}
        shapes |= linear(f"{attention}.q_proj", queries, hidden, bias=bias)
        shapes |= linear(f"{attention}.k_proj", keys, hidden, bias=bias)
        shapes |= linear(f"{attention}.v_proj", keys, hidden, bias=bias)
        shapes |= linear(f"{attention}.o_proj", hidden, queries, bias=bias)
        shapes |= linear(f"{mlp}.gate_proj", sizes.intermediate_size, hidden, bias=sizes.mlp_bias)
        shapes |= linear(f"{mlp}.up_proj", sizes.intermediate_size, hidden, bias=sizes.mlp_bias)
        shapes |= linear(f"{mlp}.down_proj", hidden, sizes.intermediate_size, bias=sizes.mlp_bias)
    shapes["model.norm.weight"] = (hidden,)
    return shapes if tied else shapes | {OUTPUT: (sizes.vocab_size, hidden)}
