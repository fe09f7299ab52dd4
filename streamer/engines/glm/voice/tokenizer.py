"""16 kHz samples → speech tokens, 25 a second."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec
import torch
from torch import Tensor, nn

from streamer.engines.glm.checkpoint.tensors import fill, read_safetensors
from streamer.engines.glm.voice.features import Features, LogMel, pieces_of
from streamer.engines.glm.voice.tokenizer_config import TokenizerConfig, read_config
from streamer.engines.glm.voice.transformer import Encoder, nearest
from streamer.errors import CheckpointError

_PREFIX = "model.encoder."
_AT_ONCE = 128
"""Pieces of 30 s in a batch."""


class SpeechTokenizer:
    """Always in float32, which is no less on a GPU either (glm/precision.py): a code that tips over changes all that is
    spoken."""

    def __init__(self, config: TokenizerConfig, encoder: Encoder, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.digest = _digest(config, encoder)
        """Hex, of sizes and weights."""
        self._encoder = encoder.eval().requires_grad_(False).to(device)
        self._features = LogMel(config.num_mel_bins, config.samples_a_token)

    @classmethod
    def open(cls, folder: Path, device: torch.device) -> Self:
        """From `speech_tokenizer/` of a checkpoint. Errors: CheckpointError that names the file and the tensor."""
        config = read_config(folder)
        encoder = _unfilled(config)
        file = folder / "model.safetensors"
        tensors = read_safetensors(folder, lambda name: _wanted(name, config.quantize_position))
        _take_unused(tensors, config, file)
        # In its place of the whole model, so that tensors keep the names they have in the file.
        fill(nn.ModuleDict({"model": nn.ModuleDict({"encoder": encoder})}), tensors, file)
        return cls(config, encoder, device)

    @torch.inference_mode()
    def tokens(self, wave: Tensor) -> Tensor:
        """(samples,) float32 on the CPU → (tokens,) int64 on the CPU."""
        pieces = pieces_of(wave)
        starts = range(0, len(pieces), _AT_ONCE)
        return torch.cat([self._batch(pieces[start : start + _AT_ONCE]) for start in starts])

    def features(self, pieces: Sequence[Tensor]) -> Features:
        """What the encoder sees of a batch of pieces; on the CPU, so that it is the same on every device."""
        return self._features(pieces)

    @torch.inference_mode()
    def hidden(self, features: Features) -> Tensor:
        """(pieces, tokens, width): what is compared with the codes."""
        hidden: Tensor = self._encoder(features.mels.to(self.device), features.mask.to(self.device))
        return hidden

    def _batch(self, pieces: Sequence[Tensor]) -> Tensor:
        features = self.features(pieces)
        codes = nearest(self.hidden(features), self._encoder.codebook.weight)
        spoken = features.mask[:, :: 2 * self.config.pooling_kernel_size]
        return codes.cpu()[spoken]


def _unfilled(config: TokenizerConfig) -> Encoder:
    """Weights that are read anyway need no random ones before. Nor `to_empty`: it has torch load its compiler."""
    with torch.device("meta"):
        encoder = Encoder(config)
    for module in encoder.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape), requires_grad=False))
    return encoder


def _wanted(name: str, layers: int) -> bool:
    """The encoder up to its codes."""
    if not name.startswith(_PREFIX):
        return False
    part, _, rest = name.removeprefix(_PREFIX).partition(".")
    if part == "layers":
        number = rest.partition(".")[0]
        return not number.isdecimal() or int(number) < layers
    return part != "layer_norm"


def _digest(config: TokenizerConfig, encoder: Encoder) -> str:
    digest = hashlib.sha256(msgspec.json.encode(config))
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy())
    return digest.hexdigest()[:16]


def _take_unused(tensors: dict[str, Tensor], config: TokenizerConfig, file: Path) -> None:
    """What only training uses, but every such checkpoint has: one without is another model."""
    unused = {
        "embed_positions2.weight": (config.pooled_positions, config.d_model),
        "ema_count": (config.quantize_vocab_size,),
        "ema_weight": (config.quantize_vocab_size, config.d_model),
    }
    for name, shape in unused.items():
        tensor = tensors.pop(_PREFIX + name, None)
        if tensor is None:
            raise CheckpointError(f"{file}: tensor {_PREFIX}{name} is missing")
        if tensor.shape != shape:
            raise CheckpointError(
                f"{file}: tensor {_PREFIX}{name} has the shape {tuple(tensor.shape)}, its configuration says {shape}"
            )
