"""What the speech tokenizer's configuration says. A model that is built otherwise is refused, never half understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from streamer.engines.glm.checkpoint.configs import read_json
from streamer.engines.glm.voice.features import HOP, PIECE, RATE, SIZE
from streamer.errors import CheckpointError


class TokenizerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """config.json; sizes in the names of Whisper."""

    d_model: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    encoder_layers: int
    num_mel_bins: int
    max_source_positions: int
    """Positions after the second convolution, 50 a second."""
    pooling_kernel_size: int
    pooling_position: int
    quantize_position: int
    """Layers before the codes; those behind it are not needed."""
    quantize_vocab_size: int
    quantize_causal_block_size: int
    """Positions that see each other also forwards."""
    pooling_type: str
    activation_function: str
    encoder_causal_convolution: bool
    encoder_causal_attention: bool = False
    quantize_causal_encoder: bool = False
    scale_embedding: bool = False

    @property
    def samples_a_token(self) -> int:
        """At 16 kHz: the hop, the second convolution's stride, the pool."""
        return HOP * 2 * self.pooling_kernel_size

    @property
    def pooled_positions(self) -> int:
        return self.max_source_positions // self.pooling_kernel_size


class _Preprocessor(msgspec.Struct, frozen=True, kw_only=True):
    chunk_length: int
    feature_size: int
    hop_length: int
    n_fft: int
    sampling_rate: int


def read_config(folder: Path) -> TokenizerConfig:
    """The configuration, and that the features it wants are those of features.py. Errors: CheckpointError."""
    path = folder / "config.json"
    config = read_json(path, TokenizerConfig)
    _demand_sizes(path, config)
    _demand(
        path,
        config,
        {
            "pooling_type": "avg",
            "activation_function": "gelu",
            "encoder_causal_convolution": True,
            "encoder_causal_attention": False,
            "quantize_causal_encoder": False,
            "scale_embedding": False,
            "pooling_position": config.quantize_position,
        },
    )
    path = folder / "preprocessor_config.json"
    if path.is_file():  # it says nothing that the model's sizes leave open, and may be missing
        _demand(
            path,
            read_json(path, _Preprocessor),
            {
                "chunk_length": PIECE // RATE,
                "feature_size": config.num_mel_bins,
                "hop_length": HOP,
                "n_fft": SIZE,
                "sampling_rate": RATE,
            },
        )
    return config


def _demand_sizes(path: Path, config: TokenizerConfig) -> None:
    sizes = {name: value for name, value in msgspec.structs.asdict(config).items() if type(value) is int}
    for name, value in sizes.items():
        if value < 1:
            raise CheckpointError(f"{path}: {name} is {value}, expected is a size")
    if config.d_model % config.encoder_attention_heads:
        raise CheckpointError(f"{path}: d_model {config.d_model} is no multiple of encoder_attention_heads")
    if config.quantize_position > config.encoder_layers:
        raise CheckpointError(f"{path}: quantize_position {config.quantize_position} lies behind encoder_layers")
    if config.max_source_positions < PIECE // HOP // 2:
        raise CheckpointError(f"{path}: max_source_positions {config.max_source_positions} are no 30 s")


def _demand(path: Path, config: msgspec.Struct, values: dict[str, Any]) -> None:
    for name, value in values.items():
        found = getattr(config, name)
        if found != value:
            raise CheckpointError(f"{path}: {name} is {found!r}; supported is {value!r} only")
