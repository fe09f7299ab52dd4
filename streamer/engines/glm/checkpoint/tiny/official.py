"""A folder of seeded noise in the official sizes: to measure how fast the engine is, where no weights are at hand.

LLM, flow and vocoder are as large as the published ones; text tokenizer, speech tokenizer and speaker encoder are the
tiny ones, for they do nothing but for a prompt, once. It speaks without an end: each segment the most that it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import safetensors.torch
import torch

from streamer.engines.glm.checkpoint.layout import TINY_MARK
from streamer.engines.glm.checkpoint.shapes import Shapes
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes
from streamer.engines.glm.checkpoint.shapes.llm import LlamaSizes, llm_shapes
from streamer.engines.glm.checkpoint.tiny import sizes, tokenizer, weights
from streamer.engines.glm.checkpoint.tiny.folder import files, write
from streamer.engines.glm.checkpoint.tiny.noise import Noise

LLAMA = LlamaSizes(
    vocab_size=98_304,
    hidden_size=2048,
    intermediate_size=6144,
    num_hidden_layers=28,
    num_attention_heads=16,
    num_key_value_heads=4,
    head_dim=128,
)
"""1.55 G parameters, the output matrix being the embedding."""
FLOW = FlowSizes()
HIFT = HiftSizes(512, 512)

_DEVIATION = 0.02
"""Of the embedding. The output matrix is the same one, and logits shall lie within a few units."""
_NEVER = -60.0
"""In the constant channel of tokens that are no speech. After the last norm the channel is a few tenths."""
_LARGE = ("llm/", "flow/", "hift/", "vocos2d/", "example/")


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Of the parts that speech passes through."""

    llama: LlamaSizes = LLAMA
    flow: FlowSizes = FLOW
    hift: HiftSizes = HIFT


def make_official(root: Path, seed: int = 0, given: Sizes = Sizes()) -> None:  # noqa: B008 - frozen
    """Write every file but Vocos: 3.1 GB of the LLM in bfloat16, 0.9 GB of the flow. 5 GB of memory at most.

    The mark comes last: a folder cut short has none. Errors: OSError.
    """
    small = files(seed)
    mark = small.pop(TINY_MARK)
    for name, data in small.items():
        if not name.startswith(_LARGE):
            write(root, name, data)
    noise = Noise(seed)
    _llm(root / "llm", noise, given.llama)
    for name, arrays in (("flow", weights.flow(noise, given.flow)), ("hift", weights.hift(noise, given.hift))):
        tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
        (root / name).mkdir(exist_ok=True)
        torch.save({"model": tensors} if name == "flow" else tensors, root / name / f"{name}.pt")
    write(root, "flow/config.yaml", sizes.flow_config(given.flow).encode())
    write(root, TINY_MARK, mark)


def _llm(folder: Path, noise: Noise, llama: LlamaSizes) -> None:
    """A file a layer, so that no more than one is in memory."""
    added = tokenizer.added_tokens(len(tokenizer.ranks()))
    first = added[tokenizer.AUDIO.format(0)]
    config = sizes.llama_config(llama, end=added[tokenizer.END], pad=added[tokenizer.PAD], tied=True)
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, str] = {}
    for number, arrays in enumerate(_shards(noise, llama, range(first, first + sizes.CODES))):
        name = f"model-{number:05}.safetensors"
        tensors = {key: torch.from_numpy(array).to(torch.bfloat16) for key, array in arrays.items()}
        safetensors.torch.save_file(tensors, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, name)
    write(folder, "model.safetensors.index.json", msgspec.json.encode({"weight_map": places}))
    write(folder, "config.json", msgspec.json.encode(config))


def _shards(noise: Noise, llama: LlamaSizes, speech: range) -> Iterator[weights.Arrays]:
    """As in the tiny one, channel 0 of the embedding is written by no layer and works as a bias of the output."""
    shapes = llm_shapes(llama, tied=True)
    embedding = "model.embed_tokens.weight"
    array = noise(f"llm/{embedding}", shapes.pop(embedding), _DEVIATION)
    array[:, 0] = _NEVER
    array[speech.start : speech.stop, 0] = 1
    yield {embedding: array}
    for group in _by_layer(shapes):
        arrays = weights.drawn(noise, "llm", group)
        for name, array in arrays.items():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                array[0] = np.float32(0)
        yield arrays


def _by_layer(shapes: Shapes) -> Iterator[Shapes]:
    """Those of a layer together; what belongs to none comes last."""
    groups: dict[str, Shapes] = {}
    for name, shape in shapes.items():
        group = ".".join(name.split(".")[:3])
        groups.setdefault(group, {})[name] = shape
    yield from groups.values()
