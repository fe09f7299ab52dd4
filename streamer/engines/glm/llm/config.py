"""The sizes of the LLM, as llm/config.json says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from streamer.engines.glm.checkpoint.configs import read_json
from streamer.engines.glm.checkpoint.shapes.llm import LlamaSizes

Size = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class LlamaConfig(LlamaSizes, frozen=True, kw_only=True):
    """Fields as transformers names them; the defaults are those that it gives to fields left out.

    Networks other than the one here, and sizes that cannot be, are a ValueError that names the field.
    """

    model_type: str
    hidden_act: str
    vocab_size: Size
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Size
    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Size | None = None
    max_position_embeddings: Size
    rms_norm_eps: Positive
    rope_theta: Positive | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    """Where newer versions of transformers write theta and scaling."""
    tie_word_embeddings: bool = False
    quantization_config: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        expected: dict[str, object] = {
            "model_type": "llama",
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "quantization_config": None,
        }
        for field, supported in expected.items():
            if (value := getattr(self, field)) != supported:
                raise ValueError(f"`{field}` is {value!r}; only {supported!r} is supported")
        for field in ("rope_scaling", "rope_parameters"):
            scaling: dict[str, Any] = getattr(self, field) or {}
            if (kind := scaling.get("rope_type", scaling.get("type", "default"))) != "default":
                raise ValueError(f"`{field}` is of the type {kind!r}; only 'default' is supported")
        if not isinstance(self.theta, int | float) or self.theta <= 0:
            raise ValueError("`rope_theta` is missing or no positive number")
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`head_dim` is missing, and `hidden_size` {self.hidden_size} is no multiple of "
                f"`num_attention_heads` {self.num_attention_heads}"
            )
        if self.head % 2:
            raise ValueError(f"`head_dim` is {self.head}; rotary positions need an even one")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"`num_attention_heads` {self.num_attention_heads} is no multiple of "
                f"`num_key_value_heads` {self.num_key_value_heads}"
            )

    @property
    def theta(self) -> Any:
        """Base of the rotary positions' wavelengths, from whichever field has it."""
        return (self.rope_parameters or {}).get("rope_theta", self.rope_theta)


def read_config(path: Path) -> LlamaConfig:
    """Errors: CheckpointError that names file and field."""
    return read_json(path, LlamaConfig)
