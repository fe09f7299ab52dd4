"""Whether a folder holds a whole checkpoint, part by part, without loading a model."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from streamer.engines.glm.checkpoint.configs import read_yaml
from streamer.engines.glm.checkpoint.layout import Layout, present
from streamer.engines.glm.checkpoint.shapes import Shapes
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes, flow_shapes
from streamer.engines.glm.checkpoint.shapes.hift import hift_shapes, hift_sizes
from streamer.engines.glm.checkpoint.shapes.llm import OUTPUT, llm_shapes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import WhisperSizes, speech_tokenizer_shapes
from streamer.engines.glm.checkpoint.tensors import (
    Header,
    Tensors,
    each_tensor,
    flaw_of,
    headers,
    misfits,
    read_pickled,
    summary,
    weights_file,
)
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.llm.config import read_config
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.engines.glm.voice import tokenizer_config
from streamer.engines.glm.voice.speaker import SIZE, SpeakerEncoder
from streamer.errors import CheckpointError

_CODES = 32_768
_COMPUTED = ".rotary_emb.inv_freq"
"""Older files of the LLM hold what follows from its configuration."""


class Finding(NamedTuple):
    """One part of the folder, and what is right or wrong with it."""

    part: str
    ok: bool
    text: str


def findings(layout: Layout, *, vocos: bool) -> Iterator[Finding]:
    """Of every part, in the order in which a text becomes sound. `vocos`: whether the 32 kHz vocoder is needed.

    Every tensor's shape is held to the configuration beside it, and every number must be finite; no more than one
    tensor is in memory.
    """
    whole = True
    for part in _INSPECTIONS:
        if part == "vocos" and not vocos and not layout.vocos.is_file():
            yield Finding(part, True, "not here, and needed for 32 kHz only")
            continue
        found = finding(layout, part)
        whole = whole and found.ok
        yield found
    if whole:
        yield finding(layout, _TOGETHER)


def finding(layout: Layout, part: str) -> Finding:
    """Of one part, or of all that they must have in common."""
    try:
        return Finding(part, True, {**_INSPECTIONS, _TOGETHER: _together}[part](layout))
    except CheckpointError as error:
        return Finding(part, False, str(error))


def _tokenizer(layout: Layout) -> str:
    tokenizer = Tokenizer.open(layout)
    special = tokenizer.special
    with present(layout.tokenizer_ranks).open("rb") as file:
        ranks = sum(1 for line in file if line.strip())
    if ranks != special.endoftext:
        raise CheckpointError(
            f"{layout.tokenizer_ranks}: has {ranks} ranks, but the added tokens begin at {special.endoftext}; "
            "it is cut, or of another tokenizer"
        )
    return (
        f"{ranks} ranks; audio tokens {special.audio_first} to {special.audio_last}, end {special.end_of_audio}, "
        f"begin {special.begin_of_audio}; {len(tokenizer.phonemes)} phonemes"
    )


def _llm(layout: Layout) -> str:
    config = read_config(layout.llm / "config.json")
    tied = config.tie_word_embeddings
    found = {
        name: header
        for name, header in headers(layout.llm).items()
        if not name.endswith(_COMPUTED) and not (tied and name == OUTPUT)
    }
    _demand(misfits(weights_file(layout.llm), found, llm_shapes(config, tied=tied)))
    return f"{_numbers(layout.llm, found)}, output matrix {'tied' if tied else 'of its own'}"


def _speech_tokenizer(layout: Layout) -> str:
    folder = layout.speech_tokenizer
    config = tokenizer_config.read_config(folder)
    sizes = WhisperSizes(**{field: getattr(config, field) for field in WhisperSizes.__struct_fields__})
    expected = speech_tokenizer_shapes(sizes)
    found = {name: header for name, header in headers(folder).items() if name in expected}
    _demand(misfits(weights_file(folder), found, expected))
    return f"{_numbers(folder, found)}, {config.quantize_vocab_size} codes"


def _flow(layout: Layout) -> str:
    config = read_yaml(layout.flow_config, FlowConfig)
    sizes = FlowSizes(**{field: getattr(config, field) for field in FlowSizes.__struct_fields__})
    return _pickled(layout.flow, read_pickled(layout.flow), flow_shapes(sizes))


def _hift(layout: Layout) -> str:
    tensors = read_pickled(layout.hift)
    sizes = hift_sizes(tensors)
    if sizes is None:
        raise CheckpointError(f"{layout.hift}: has no conv_pre.bias and f0_predictor.condnet.0.bias; is it a HiFT?")
    return _pickled(layout.hift, tensors, hift_shapes(sizes))


def _vocos(layout: Layout) -> str:
    """It is a program: never loaded here, only named."""
    path = present(layout.vocos)
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path}: is no TorchScript archive; fetch it again with `streamer models pull --vocos`")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f'not loaded; for 32 kHz state engine.glm.vocos_sha256 = "{digest}"'


def _speaker(layout: Layout) -> str:
    encoder = SpeakerEncoder.open(layout.speaker)
    vector = encoder.vector(torch.sin(torch.arange(16_000) * (2 * math.pi * 200 / 16_000)))
    if not bool(torch.from_numpy(vector).isfinite().all()):
        raise CheckpointError(f"{layout.speaker}: gives numbers that are not finite")
    return f"[1, T, 80] to [1, {SIZE}]"


def _pickled(path: Path, tensors: Tensors, expected: Shapes) -> str:
    problems = misfits(path, tensors, expected)
    problems += [f"{path}: tensor {name} {flaw}" for name, value in tensors.items() if (flaw := flaw_of(value))]
    _demand(problems)
    return f"{len(tensors)} tensors, {sum(value.numel() for value in tensors.values()):,} numbers"


def _numbers(folder: Path, found: Mapping[str, Header]) -> str:
    problems, count = [], 0
    for name, tensor in each_tensor(folder, found.__contains__):
        count += tensor.numel()
        if flaw := flaw_of(tensor):
            problems.append(f"{found[name].file}: tensor {name} {flaw}")
    _demand(problems)
    return f"{len(found)} tensors, {count:,} numbers"


def _demand(problems: list[str]) -> None:
    if problems:
        raise CheckpointError(summary(problems))


def _together(layout: Layout) -> str:
    """Sizes that two parts must share."""
    last = Tokenizer.open(layout).special.audio_last
    rows = read_config(layout.llm / "config.json").vocab_size
    codes = tokenizer_config.read_config(layout.speech_tokenizer).quantize_vocab_size
    known = read_yaml(layout.flow_config, FlowConfig).vocab_size
    problems = []
    if last >= rows:
        problems.append(f"{layout.llm}: vocab_size is {rows}, but the last audio token is {last}")
    if codes > _CODES:
        problems.append(f"{layout.speech_tokenizer}: has {codes} codes, but there are {_CODES} audio tokens")
    if known < _CODES:
        problems.append(f"{layout.flow_config}: vocab_size is {known}, but there are {_CODES} audio tokens")
    _demand(problems)
    return "the parts agree on their sizes"


_TOGETHER = "together"
_INSPECTIONS: dict[str, Callable[[Layout], str]] = {
    "tokenizer": _tokenizer,
    "llm": _llm,
    "speech_tokenizer": _speech_tokenizer,
    "flow": _flow,
    "hift": _hift,
    "vocos": _vocos,
    "speaker": _speaker,
}
"""Each says what is there, or raises CheckpointError."""
