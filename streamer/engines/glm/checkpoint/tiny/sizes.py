"""How large the tiny parts are, and what their configuration files say."""

from __future__ import annotations

from typing import Any

from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes
from streamer.engines.glm.checkpoint.shapes.llm import LlamaSizes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import WhisperSizes

CODES = 32_768
"""Audio tokens, as many as the official model has."""
HIFT = HiftSizes(32, 32)
FLOW = FlowSizes(
    speech_token_dim=32, vocab_size=CODES, trans_dim=64, depth=2, heads=2, dim_head=32, ff_mult=2, conv_layers=4
)
WHISPER = WhisperSizes(
    d_model=32,
    encoder_attention_heads=2,
    encoder_ffn_dim=64,
    num_mel_bins=128,
    max_source_positions=1500,
    pooling_kernel_size=2,
    pooling_position=2,
    quantize_position=2,
    quantize_vocab_size=4096,
)


def llama(vocabulary: int) -> LlamaSizes:
    """Two layers; three heads of queries share one of keys."""
    return LlamaSizes(
        vocab_size=vocabulary,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=16,
    )


def llama_config(sizes: LlamaSizes, *, end: int, pad: int, tied: bool = False) -> dict[str, Any]:
    """llm/config.json. `tied`: the output matrix is the embedding."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": sizes.vocab_size,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.num_hidden_layers,
        "num_attention_heads": sizes.num_attention_heads,
        "num_key_value_heads": sizes.num_key_value_heads,
        "head_dim": sizes.head,
        "hidden_act": "silu",
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "rope_scaling": None,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": tied,
        "bos_token_id": pad,
        "eos_token_id": end,
        "pad_token_id": pad,
        "torch_dtype": "bfloat16",
    }


def whisper_config() -> dict[str, Any]:
    """speech_tokenizer/config.json."""
    return {
        "architectures": ["WhisperVQForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": WHISPER.d_model,
        "encoder_layers": WHISPER.quantize_position + 1,
        "encoder_attention_heads": WHISPER.encoder_attention_heads,
        "encoder_ffn_dim": WHISPER.encoder_ffn_dim,
        "num_mel_bins": WHISPER.num_mel_bins,
        "max_source_positions": WHISPER.max_source_positions,
        "activation_function": "gelu",
        "scale_embedding": False,
        "pooling_kernel_size": WHISPER.pooling_kernel_size,
        "pooling_type": "avg",
        "pooling_position": WHISPER.pooling_position,
        "quantize_position": WHISPER.quantize_position,
        "quantize_vocab_size": WHISPER.quantize_vocab_size,
        "quantize_causal_encoder": False,
        "quantize_causal_block_size": 200,
        "encoder_causal_attention": False,
        "encoder_causal_convolution": True,
        "torch_dtype": "float32",
    }


def feature_config() -> dict[str, Any]:
    """speech_tokenizer/preprocessor_config.json."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "chunk_length": 30,
        "feature_size": WHISPER.num_mel_bins,
        "sampling_rate": 16_000,
        "n_fft": 400,
        "hop_length": 160,
        "n_samples": 480_000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def flow_config(sizes: FlowSizes = FLOW) -> str:
    """flow/config.yaml. Nothing of the class behind the tag exists."""
    return f"""flow: !new:tiny.Flow
  spkr_emb_adaLN: True
  speech_token_cfg: False
  remove_spkr_concat_condition: True
  mel_dim: {sizes.mel_dim}
  mel_framerate: 50
  input_frame_rate: 25
  speech_token_dim: {sizes.speech_token_dim}
  vocab_size: {sizes.vocab_size}
  trans_dim: {sizes.trans_dim}
  depth: {sizes.depth}
  heads: {sizes.heads}
  dim_head: {sizes.dim_head}
  ff_mult: {sizes.ff_mult}
  conv_layers: {sizes.conv_layers}
"""
