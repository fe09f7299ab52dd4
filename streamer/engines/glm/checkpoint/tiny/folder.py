"""The whole folder of a tiny checkpoint, in the official layout."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from streamer.engines.glm.checkpoint.layout import TINY_MARK
from streamer.engines.glm.checkpoint.tiny import example, onnx, sizes, tokenizer, torchscript, weights
from streamer.engines.glm.checkpoint.tiny.noise import Floats, Noise

_ALIGNED = 64


def make_tiny(root: Path, seed: int = 0, *, endless: bool = False) -> None:
    """Write every file; those that stand there are replaced. The same seed makes the same bytes. Errors: OSError.

    `endless`: the end is never drawn, so that every segment speaks the most that it may.
    """
    for name, data in files(seed, endless=endless).items():
        write(root, name, data)


def write(root: Path, name: str, data: bytes) -> None:
    """A file of the folder, whole or not at all. Errors: OSError."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def files(seed: int, *, endless: bool = False) -> dict[str, bytes]:
    """Path in the folder → content. The mark comes last: a folder cut short has none."""
    noise = Noise(seed)
    base = tokenizer.ranks()
    added = tokenizer.added_tokens(len(base))
    end, pad = added[tokenizer.END], added[tokenizer.PAD]
    first = added[tokenizer.AUDIO.format(0)]
    llama = sizes.llama(-(-(first + sizes.CODES) // _ALIGNED) * _ALIGNED)
    language = weights.llm(noise, llama, range(first, first + sizes.CODES), end, endless=endless)
    return {
        "vq32k-phoneme-tokenizer/tokenizer.model": tokenizer.rank_file(base),
        "vq32k-phoneme-tokenizer/tokenizer_config.json": _json(tokenizer.tokenizer_config(added), indent=None),
        "llm/config.json": _json(sizes.llama_config(llama, end=end, pad=pad)),
        "llm/model.safetensors": _safetensors(language, torch.bfloat16),
        "speech_tokenizer/config.json": _json(sizes.whisper_config()),
        "speech_tokenizer/preprocessor_config.json": _json(sizes.feature_config()),
        "speech_tokenizer/model.safetensors": _safetensors(weights.speech_tokenizer(noise), torch.float32),
        "flow/config.yaml": sizes.flow_config().encode(),
        "flow/flow.pt": _pickled({"model": _tensors(weights.flow(noise))}),
        "hift/hift.pt": _pickled(_tensors(weights.hift(noise))),
        "vocos2d/generator_jit.ckpt": torchscript.scripted(weights.vocos(noise)),
        "frontend/campplus.onnx": onnx.speaker_encoder(weights.speaker(noise)),
        "example/prompt.wav": example.prompt(),
        "example/voices.toml": example.VOICES.encode(),
        "example/requests.jsonl": example.REQUESTS.encode(),
        "example/streamer.toml": example.CONFIGURATION.encode(),
        TINY_MARK: _json({"what": "seeded noise in the layout of GLM-TTS; its speech says nothing", "seed": seed}),
    }


def _tensors(arrays: Mapping[str, Floats]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _safetensors(arrays: Mapping[str, Floats], dtype: torch.dtype) -> bytes:
    tensors = {name: tensor.to(dtype) for name, tensor in _tensors(arrays).items()}
    return safetensors.torch.save(tensors, metadata={"format": "pt"})


def _pickled(document: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer)
    return buffer.getvalue()


def _json(value: Any, indent: int | None = 2) -> bytes:
    separators = (",", ":") if indent is None else None
    return (json.dumps(value, ensure_ascii=False, indent=indent, separators=separators) + "\n").encode()
