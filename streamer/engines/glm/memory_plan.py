"""How much memory a profile takes, part by part, before anything of it is there.

Weights, keys and values are exact (tests/engines/glm/test_memory_plan.py holds them to what is allocated). What a batch
needs on its way is an upper bound, found by counting the live tensors of the longest piece that there may be: measured
on a CPU, where it was 3 to 25 % less. All parts count at once, for on a GPU what a stage needed stays with it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import partial
from typing import NamedTuple

from streamer.engines.glm.checkpoint.shapes import Shapes
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes, flow_shapes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes, hift_shapes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import WhisperSizes, speech_tokenizer_shapes
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.shapes import batch_rows, buckets
from streamer.settings_engines import Glm

BLOCK = 256
"""Positions by which a row of the cache grows (llm/cache.py)."""
FRAMES = 4096
"""Of the longest piece, its prompt included (flow/job.py)."""
STEPS = 10
"""Of the flow (flow/run.py), whose adaptations are found for all at once."""
STRETCH = 256
"""Of an input of the LLM, computed at once (llm/stretches.py)."""
_FLOAT = 4
_WIDTHS = {"fp32": 4, "tf32": 4, "bf16": 2}
"""Bytes of a number."""
_PROMPT = 500
"""Positions of the speech tokenizer that a prompt of 10 s takes, 50 a second."""
_UNUSED = ("embed_positions2.weight", "ema_count", "ema_weight")
"""Tensors of the speech tokenizer that only training uses."""
_VOCOS_FRAME = 160_000
"""Bytes of work a frame at 32 kHz. A guess: its script's sizes are not known, the published Vocos was reckoned with."""
_LIBRARIES = 512 << 20
"""What cuBLAS and cuDNN take for themselves on a GPU. A guess, not measured yet."""
_GRAPH = 8 << 20
"""What the driver keeps for a captured graph of some hundred kernels. A guess, not measured yet."""


class Sizes(NamedTuple):
    """What a checkpoint says of itself."""

    llm: LlamaConfig
    columns: int
    """Of the output matrix: speech tokens and the end."""
    flow: FlowSizes
    vocoder: HiftSizes | int
    """Of Vocos the bytes of its file."""
    tokenizer: WhisperSizes
    speaker: int
    """Bytes of the speaker encoder's file."""


class Part(NamedTuple):
    name: str
    bytes: int


class Plan(NamedTuple):
    """Bytes of a profile."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.bytes for part in self.parts)

    def __str__(self) -> str:
        return ", ".join(f"{part.name} {gigabytes(part.bytes)}" for part in self.parts)


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def plan(settings: Glm, sizes: Sizes, *, gpu: bool) -> Plan:
    """Of this profile on a GPU, or on a CPU, which computes the rows of flow and vocoder one after the other. The
    settings' precisions are decided, not `auto`."""
    flow, voice = sizes.flow, sizes.tokenizer
    vocoder = _most_frames(settings.vocoder_rows, gpu=gpu) * vocoder_frame(sizes.vocoder)
    parts = (
        Part("LLM weights", llm_weights(settings, sizes.llm, sizes.columns)),
        Part("LLM keys and values", keys_and_values(settings, sizes.llm)),
        Part("LLM at work", _llm_work(settings, sizes.llm, sizes.columns, gpu=gpu)),
        Part("flow weights", flow_weights(settings, flow)),
        Part("flow at work", _flow_held(settings, flow, gpu=gpu) + _flow_step(settings, flow, gpu=gpu)),
        Part("vocoder weights", vocoder_weights(sizes.vocoder)),
        Part("vocoder at work", vocoder),
        Part("voice encoder", voice_weights(voice) + _voice_work(voice)),
    )
    if not gpu:
        return Plan((*parts, Part("speaker encoder", sizes.speaker)))
    return Plan((*parts, Part("captured graphs", _graphs() * _GRAPH), Part("GPU libraries", _LIBRARIES)))


def _graphs() -> int:
    """The LLM's step, its stretches by their lengths, and every batch of flow and vocoder."""
    return 1 + len(buckets(STRETCH)) + 2 * len(buckets(FRAMES))


def _batches(rows: int) -> list[tuple[int, int]]:
    """Rows and frames of each batch that a GPU has a place for."""
    return [(batch_rows(frames, rows), frames) for frames in buckets(FRAMES)]


def _most_frames(rows: int, *, gpu: bool) -> int:
    """Of all rows that are computed together."""
    return max(height * frames for height, frames in _batches(rows)) if gpu else FRAMES


# LLM


def llm_weights(settings: Glm, llm: LlamaConfig, columns: int) -> int:
    """As llm/llama.py keeps them: last norm, output matrix and angles in float32, the rest as configured."""
    width, hidden, inner = _WIDTHS[settings.llm_precision], llm.hidden_size, llm.intermediate_size
    queries, shared = llm.num_attention_heads * llm.head, llm.num_key_value_heads * llm.head
    attention = (queries + 2 * shared) * hidden + hidden * queries
    layer = attention + 3 * hidden * inner + 2 * hidden
    angles = 2 * llm.max_position_embeddings * (llm.head // 2)
    precise = hidden + columns * hidden + angles
    return width * (llm.vocab_size * hidden + llm.num_hidden_layers * layer) + _FLOAT * precise


def keys_and_values(settings: Glm, llm: LlamaConfig) -> int:
    """Of all rows, each rounded up to blocks."""
    positions = -(-settings.positions // BLOCK) * BLOCK
    numbers = 2 * llm.num_hidden_layers * settings.rows * llm.num_key_value_heads * positions * llm.head
    return numbers * _WIDTHS[settings.llm_precision]


def _llm_work(settings: Glm, llm: LlamaConfig, columns: int, *, gpu: bool) -> int:
    """A stretch of an input, and a step: scores over all positions, logits and their sorting. A GPU keeps what
    stretches are computed in; their graphs share the memory of the longest, and of the step."""
    held = stretch_rooms(settings, llm) if gpu else 0
    step = settings.rows * (_scores(settings, llm) + 12 * columns * _FLOAT)
    return held + stretch_work(settings, llm) + step


def stretch_rooms(settings: Glm, llm: LlamaConfig) -> int:
    """As llm/rooms.py has them: residual and norm, queries and what attention makes, the activation."""
    position = 2 * llm.hidden_size + 2 * llm.num_attention_heads * llm.head + llm.intermediate_size
    return STRETCH * position * _WIDTHS[settings.llm_precision]


def stretch_work(settings: Glm, llm: LlamaConfig) -> int:
    """What lives at most within a stretch, beside its rooms. Only torch's kernels put scores down."""
    width, hidden, inner = _WIDTHS[settings.llm_precision], llm.hidden_size, llm.intermediate_size
    layer = 4 * hidden * width + 2 * inner * width + 4 * inner * _FLOAT
    return STRETCH * (layer + _scores(settings, llm))


def _scores(settings: Glm, llm: LlamaConfig) -> int:
    """Of one position."""
    return 3 * llm.num_attention_heads * settings.positions * _FLOAT


# Flow


def flow_weights(settings: Glm, flow: FlowSizes) -> int:
    """As flow/estimator.py keeps them: products within blocks and the position convolution as configured."""
    width = _WIDTHS[settings.flow_precision]
    return sum(math.prod(shape) * (width if _narrowed(name) else _FLOAT) for name, shape in flow_shapes(flow).items())


def _narrowed(name: str) -> bool:
    return any(part in name for part in (".attn.", ".ff.", ".conv_pos_embed."))


def _flow_held(settings: Glm, flow: FlowSizes, *, gpu: bool) -> int:
    """What batches keep from step to step: state, condition and token vectors, twice; and the adaptations, of all steps
    and of the present one. A GPU keeps a place for every batch that there may be."""
    frame = 2 * (flow.mel_dim + flow.speech_token_dim) + flow.mel_dim + flow.dim_head + 4
    adaptations = (STEPS + 1) * 2 * (6 * flow.depth + 2) * flow.trans_dim
    batches = _batches(settings.flow_rows) if gpu else [(settings.flow_rows, FRAMES)]
    return sum(rows * (frames * frame + adaptations) for rows, frames in batches) * _FLOAT


def _flow_step(settings: Glm, flow: FlowSizes, *, gpu: bool) -> int:
    return _most_frames(settings.flow_rows, gpu=gpu) * flow_frame(settings, flow)


def flow_frame(settings: Glm, flow: FlowSizes) -> int:
    """Bytes that live at most within a step, with and without condition: in a block's two layers the residual, what is
    normed, and both sides of the activation. Or at the beginning, in the token embedding."""
    inner = 2 * flow.ff_mult * flow.trans_dim * _WIDTHS[settings.flow_precision]
    block = 2 * ((4 * flow.trans_dim + flow.mel_dim) * _FLOAT + inner)
    tokens = (8 * flow.speech_token_dim + 64) * _FLOAT
    return max(block, tokens)


# Vocoder


def vocoder_weights(sizes: HiftSizes | int) -> int:
    """In float32, the weight norm multiplied out."""
    if isinstance(sizes, int):
        return sizes
    shapes = hift_shapes(sizes)
    return _floats({name: shape for name, shape in shapes.items() if not name.endswith(".original0")})


def vocoder_frame(sizes: HiftSizes | int) -> int:
    """Bytes of work a mel frame. Of HiFT the last stage takes most, 120 frames of the spectrum for one of the mel, in
    each of which six tensors of its channels live beside the source; or the source itself, of 4 samples' harmonics."""
    if isinstance(sizes, int):
        return _VOCOS_FRAME
    return 120 * max(6 * (sizes.channels >> 3) + 110, 200) * _FLOAT


# Voice encoder


def voice_weights(sizes: WhisperSizes) -> int:
    """In float32, less what only training uses."""
    shapes = speech_tokenizer_shapes(sizes)
    return _floats({name: shape for name, shape in shapes.items() if not name.endswith(_UNUSED)})


def _voice_work(sizes: WhisperSizes) -> int:
    """A prompt's way through it: scores of all heads, and what is compared with the codes."""
    scores = 2 * sizes.encoder_attention_heads * _PROMPT
    position = 10 * sizes.d_model + 2 * sizes.encoder_ffn_dim + scores + 2 * sizes.quantize_vocab_size
    return _PROMPT * position * _FLOAT


def _floats(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values()) * _FLOAT


# What would fit

_NARROW = {"llm_precision": "bf16", "flow_precision": "bf16"}
_LEAST = {**_NARROW, "flow_rows": 1, "vocoder_rows": 1}
_FEWEST = 1024
"""Positions that are worth proposing: a prompt of 10 s and its text take 300."""


def remedies(settings: Glm, sizes: Sizes, room: int, *, gpu: bool) -> list[str]:
    """What makes the profile fit `room` bytes, each for itself: a key lowered to the most that does; where no key alone
    is enough, one of them beside narrow numbers, or beside those and single rows of flow and vocoder."""
    for changes in ({}, _NARROW, _LEAST):
        changed = {key: value for key, value in changes.items() if getattr(settings, key) != value}
        base = settings.model_copy(update=changed)
        given = "".join(f"engine.glm.{key} {value} and " for key, value in changed.items())
        if changed and plan(base, sizes, gpu=gpu).total <= room:
            return [given.removesuffix(" and ")]
        if found := _single(base, sizes, room, gpu=gpu):
            return [given + change for change in found]
    return []


def _single(settings: Glm, sizes: Sizes, room: int, *, gpu: bool) -> list[str]:
    """The keys that make it fit when changed alone."""

    def total(key: str, value: object) -> int:
        return plan(settings.model_copy(update={key: value}), sizes, gpu=gpu).total

    fewer = {key: range(1, getattr(settings, key)) for key in ("rows", "flow_rows", "vocoder_rows")}
    fewer["positions"] = range(_FEWEST, settings.positions, BLOCK)
    found = []
    for key, values in fewer.items():
        if fitting := bisect_right(values, room, key=partial(total, key)):
            found.append(f"engine.glm.{key} at most {values[fitting - 1]}")
    for key, value in _NARROW.items():
        if getattr(settings, key) != value and total(key, value) <= room:
            found.append(f"engine.glm.{key} {value}")
    return found
