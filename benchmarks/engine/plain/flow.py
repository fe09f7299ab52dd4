"""The flow for one utterance at its own length: ten Euler steps over two rows, one with the prompt and one without.

Any precision of floating point, so that it also serves as the measure of others (in float64).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from streamer.engines.glm.checkpoint.configs import read_yaml
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tensors import read_pickled
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.frames import frames_of, stretched

_STEPS = 10
_WAVES = 128
_GROUPS = 16
_EPSILON = 1e-6
_THETA = 10_000.0


class PlainFlow:
    def __init__(self, layout: Layout, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        """Errors: CheckpointError."""
        self.config = read_yaml(layout.flow_config, FlowConfig)
        self._device, self._dtype = device, dtype
        self._weights = {
            name.removeprefix("estimator."): tensor.to(device, dtype)
            for name, tensor in read_pickled(layout.flow).items()
        }

    def mel(self, tokens: Tensor, prompt_mel: Tensor, speaker: Tensor, noise: Tensor) -> Tensor:
        """[80, frames after the prompt's].

        tokens [N] int64 on the CPU, those of the prompt first; prompt_mel [T, 80]; speaker [192]; noise [1, F, 80]
        with F = `frames_of(N)`.
        """
        frames, prompt = frames_of(len(tokens)), len(prompt_mel)
        kept = min(prompt, frames)
        condition = torch.zeros(1, frames, self.config.mel_dim, device=self._device, dtype=self._dtype)
        condition[0, :kept] = prompt_mel[prompt - kept :].to(condition)
        speaker = functional.normalize(speaker.to(condition), dim=0)[None]
        # What depends on no step is computed once. The reference's estimator is called for each.
        embedded = self._embedded(stretched(tokens, frames).to(self._device)[None])
        conditions = torch.cat((condition, torch.zeros_like(condition)))
        speakers = torch.cat((speaker, torch.zeros_like(speaker)))
        given = torch.cat((conditions, embedded.expand(2, -1, -1)), -1)
        places = torch.arange(frames, device=self._device, dtype=self._dtype)
        angles = torch.outer(places, self._weights["rotary_embed.inv_freq"])
        times = 1 - torch.cos(torch.linspace(0, 1, _STEPS + 1) * 0.5 * math.pi)
        state, rate = noise.to(condition), self.config.inference_cfg_rate
        for step in range(_STEPS):
            moment = self._moment(times[step].to(state))
            guided, free = self._velocity(state.expand(2, -1, -1), moment, speakers, given, angles).chunk(2)
            state = state + float(times[step + 1] - times[step]) * ((1 + rate) * guided - rate * free)
        return state[0, prompt:].T.contiguous()

    def _velocity(self, state: Tensor, moment: Tensor, speakers: Tensor, given: Tensor, angles: Tensor) -> Tensor:
        vectors = self._linear("emb_concator.proj", torch.cat((state, given), -1))
        vectors = vectors + self._positioned(vectors)
        adapting = functional.silu(torch.cat((moment.expand(2, -1), speakers), -1))
        for number in range(self.config.depth):
            vectors = self._block(f"transformer_blocks.{number}", vectors, adapting, angles)
        scale, shift = self._linear("norm_out.linear", adapting)[:, None].chunk(2, -1)
        return self._linear("proj_out", _normed(vectors) * (1 + scale) + shift)

    def _block(self, name: str, vectors: Tensor, adapting: Tensor, angles: Tensor) -> Tensor:
        shift, scale, gate, shift_after, scale_after, gate_after = self._linear(f"{name}.attn_norm.linear", adapting)[
            :, None
        ].chunk(6, -1)
        vectors = vectors + gate * self._attention(f"{name}.attn", _normed(vectors) * (1 + scale) + shift, angles)
        wide = self._linear(f"{name}.ff.ff.0.0", _normed(vectors) * (1 + scale_after) + shift_after)
        return vectors + gate_after * self._linear(f"{name}.ff.ff.2", functional.gelu(wide, approximate="tanh"))

    def _attention(self, name: str, vectors: Tensor, angles: Tensor) -> Tensor:
        query, key, value = (self._linear(f"{name}.to_{part}", vectors) for part in "qkv")
        query, key, value = (
            part.view(*part.shape[:2], self.config.heads, -1).transpose(1, 2)
            for part in (_turned(query, angles), _turned(key, angles), value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value)
        return self._linear(f"{name}.to_out.0", seen.transpose(1, 2).flatten(2))

    def _positioned(self, vectors: Tensor) -> Tensor:
        hidden = vectors.mT
        for number in (0, 2):
            name = f"emb_concator.conv_pos_embed.conv1d.{number}"
            hidden = functional.mish(self._convolution(name, hidden, _GROUPS))
        return hidden.mT

    def _embedded(self, tokens: Tensor) -> Tensor:
        """Tokens of the frames [1, F] → [1, F, token width]."""
        vectors = functional.embedding(tokens, self._weights["text_emb_layer.text_embed.weight"])
        powers = torch.arange(0, vectors.shape[2], 2, device=self._device, dtype=self._dtype) / vectors.shape[2]
        angles = torch.outer(torch.arange(tokens.shape[1], device=self._device, dtype=self._dtype), _THETA**-powers)
        vectors = vectors + torch.cat((angles.cos(), angles.sin()), -1)
        for number in range(self.config.conv_layers):
            name = f"text_emb_layer.text_blocks.{number}"
            hidden = self._convolution(f"{name}.dwconv", vectors.mT, vectors.shape[2]).mT
            weight, bias = self._weights[f"{name}.norm.weight"], self._weights[f"{name}.norm.bias"]
            hidden = functional.layer_norm(hidden, weight.shape, weight, bias, _EPSILON)
            hidden = functional.gelu(self._linear(f"{name}.pwconv1", hidden))
            energy = torch.linalg.vector_norm(hidden, dim=1, keepdim=True)
            share = energy / (energy.mean(-1, keepdim=True) + _EPSILON)
            gamma, beta = self._weights[f"{name}.grn.gamma"], self._weights[f"{name}.grn.beta"]
            vectors = vectors + self._linear(f"{name}.pwconv2", gamma * (hidden * share) + beta + hidden)
        return vectors

    def _moment(self, time: Tensor) -> Tensor:
        octaves = torch.arange(_WAVES, device=self._device, dtype=self._dtype)
        angles = 1000.0 * time * torch.exp(octaves * (-math.log(_THETA) / (_WAVES - 1)))
        hidden = functional.silu(self._linear("time_embed.time_mlp.0", torch.cat((angles.sin(), angles.cos()))[None]))
        return self._linear("time_embed.time_mlp.2", hidden)

    def _linear(self, name: str, vectors: Tensor) -> Tensor:
        return functional.linear(vectors, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _convolution(self, name: str, channels: Tensor, groups: int) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        padding = weight.shape[2] // 2
        return functional.conv1d(channels, weight, self._weights[f"{name}.bias"], padding=padding, groups=groups)


def _normed(vectors: Tensor) -> Tensor:
    return functional.layer_norm(vectors, vectors.shape[-1:], eps=_EPSILON)


def _turned(vectors: Tensor, angles: Tensor) -> Tensor:
    """The first head's channels of all heads side by side, as pairs of neighbours; the others as they are."""
    count = 2 * angles.shape[1]
    even, odd = vectors[..., :count].reshape(*vectors.shape[:2], -1, 2).unbind(-1)
    cosine, sine = angles.cos(), angles.sin()
    pairs = torch.stack((even * cosine - odd * sine, odd * cosine + even * sine), -1)
    return torch.cat((pairs.flatten(-2), vectors[..., count:]), -1)
