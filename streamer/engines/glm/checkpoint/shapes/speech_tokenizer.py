"""Shapes of speech_tokenizer/: a Whisper encoder cut short by a quantizer."""

from __future__ import annotations

import msgspec

from streamer.engines.glm.checkpoint.shapes import Shapes, conv, linear, norm

PREFIX = "model.encoder."


class WhisperSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What speech_tokenizer/config.json says about sizes."""

    d_model: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    num_mel_bins: int
    max_source_positions: int
    pooling_kernel_size: int
    pooling_position: int
    quantize_position: int
    quantize_vocab_size: int


def speech_tokenizer_shapes(sizes: WhisperSizes) -> Shapes:
    """Of every tensor that is read. The file has more: the decoder, a last norm, the layers after the quantizer."""
    width, codes = sizes.d_model, sizes.quantize_vocab_size
    shapes = conv("conv1", width, sizes.num_mel_bins, 3) | conv("conv2", width, width, 3)
    shapes |= {
        "embed_positions.weight": (sizes.max_source_positions, width),
        "embed_positions2.weight": (sizes.max_source_positions // sizes.pooling_kernel_size, width),
        "codebook.weight": (codes, width),
        "ema_count": (codes,),
        "ema_weight": (codes, width),
    }
    for number in range(sizes.quantize_position):
        shapes |= layer_shapes(sizes, number)
    return {PREFIX + name: shape for name, shape in shapes.items()}


def layer_shapes(sizes: WhisperSizes, number: int) -> Shapes:
    """Of one layer, without the prefix; there is no bias on the keys."""
    width, layer = sizes.d_model, f"layers.{number}"
    shapes = norm(f"{layer}.self_attn_layer_norm", width) | norm(f"{layer}.final_layer_norm", width)
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes |= linear(f"{layer}.self_attn.{name}", width, width, bias=name != "k_proj")
    shapes |= linear(f"{layer}.fc1", sizes.encoder_ffn_dim, width)
    return shapes | linear(f"{layer}.fc2", width, sizes.encoder_ffn_dim)
