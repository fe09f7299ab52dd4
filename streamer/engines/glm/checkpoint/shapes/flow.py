"""Shapes of flow/flow.pt: a DiT that turns noise into a mel."""

from __future__ import annotations

import msgspec

from streamer.engines.glm.checkpoint.shapes import Shapes, conv, linear, norm

SPEAKER = 192
"""Channels of the speaker vector."""
_TIME = 256
"""Channels of the sinusoidal time embedding."""
_GROUPS = 16


class FlowSizes(msgspec.Struct, frozen=True, kw_only=True):
    """What flow/config.yaml says about sizes; the defaults are those of the reference's own code."""

    mel_dim: int = 80
    speech_token_dim: int = 512
    vocab_size: int = 100_000
    trans_dim: int = 768
    depth: int = 18
    heads: int = 12
    dim_head: int = 64
    ff_mult: int = 2
    conv_layers: int = 4


def flow_shapes(sizes: FlowSizes) -> Shapes:
    """Of every tensor."""
    width, mel = sizes.trans_dim, sizes.mel_dim
    inner = sizes.heads * sizes.dim_head
    shapes = linear("time_embed.time_mlp.0", width, _TIME) | linear("time_embed.time_mlp.2", width, width)
    shapes |= _tokens(sizes)
    shapes |= linear("emb_concator.proj", width, 2 * mel + sizes.speech_token_dim)
    for number in (0, 2):
        shapes |= conv(f"emb_concator.conv_pos_embed.conv1d.{number}", width, width // _GROUPS, 31)
    shapes["rotary_embed.inv_freq"] = (sizes.dim_head // 2,)
    for number in range(sizes.depth):
        block = f"transformer_blocks.{number}"
        shapes |= linear(f"{block}.attn_norm.linear", 6 * width, width + SPEAKER)
        for name in ("to_q", "to_k", "to_v"):
            shapes |= linear(f"{block}.attn.{name}", inner, width)
        shapes |= linear(f"{block}.attn.to_out.0", width, inner)
        shapes |= linear(f"{block}.ff.ff.0.0", sizes.ff_mult * width, width)
        shapes |= linear(f"{block}.ff.ff.2", width, sizes.ff_mult * width)
    shapes |= linear("norm_out.linear", 2 * width, width + SPEAKER) | linear("proj_out", mel, width)
    return {f"estimator.{name}": shape for name, shape in shapes.items()}


def _tokens(sizes: FlowSizes) -> Shapes:
    width, wide = sizes.speech_token_dim, 2 * sizes.speech_token_dim
    shapes: Shapes = {"text_emb_layer.text_embed.weight": (sizes.vocab_size + 1, width)}
    for number in range(sizes.conv_layers):
        block = f"text_emb_layer.text_blocks.{number}"
        shapes |= conv(f"{block}.dwconv", width, 1, 7) | norm(f"{block}.norm", width)
        shapes |= linear(f"{block}.pwconv1", wide, width) | linear(f"{block}.pwconv2", width, wide)
        shapes |= {f"{block}.grn.gamma": (1, 1, wide), f"{block}.grn.beta": (1, 1, wide)}
    return shapes
