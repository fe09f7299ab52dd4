"""Weights of the parts: noise, scaled so that speech ends by itself and can be heard."""

from __future__ import annotations

import math

import numpy as np

from streamer.engines.glm.checkpoint.shapes import Shapes
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes, flow_shapes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes, hift_shapes
from streamer.engines.glm.checkpoint.shapes.llm import OUTPUT, LlamaSizes, llm_shapes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import PREFIX, layer_shapes, speech_tokenizer_shapes
from streamer.engines.glm.checkpoint.tiny.noise import Floats, Noise
from streamer.engines.glm.checkpoint.tiny.sizes import FLOW, HIFT, WHISPER

Arrays = dict[str, Floats]

_END = 3.0
"""How far the end token's logit lies above the others' mean, in the channel that is constant."""
_NEVER = -12.0
"""The same of tokens that are no speech."""
_HERTZ = 160.0
"""Mean of the fundamental."""
_MEL = -4.0
"""Mean of the mel."""
_CONSTANT, _LEVEL, _TILT = -6.0, -1.5, 0.4
"""Mean of the logarithm of the spectrum that the vocoder makes: of its bin 0, of the next, and its fall from bin to
bin."""


def llm(noise: Noise, sizes: LlamaSizes, speech: range, end: int, *, endless: bool = False) -> Arrays:
    """Llama. Channel 0 of every embedding is 1 and no layer writes there, so that the output matrix has a bias by it:
    tokens that are no `speech` are never drawn, and the `end` comes now and then; never where it is to be `endless`.
    """
    arrays = drawn(noise, "llm", llm_shapes(sizes, tied=False))
    arrays["model.embed_tokens.weight"][:, 0] = 1
    for name, array in arrays.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            array[0] = 0
    bias = np.full(sizes.vocab_size, _NEVER, np.float32)
    bias[speech.start : speech.stop] = 0
    bias[end] = _NEVER if endless else _END
    arrays[OUTPUT][:, 0] = bias
    return arrays


def speech_tokenizer(noise: Noise) -> Arrays:
    """The encoder, with the parts of the official file that nobody reads: a decoder, a last norm, a further layer."""
    width = WHISPER.d_model
    further = {PREFIX + name: shape for name, shape in layer_shapes(WHISPER, WHISPER.quantize_position).items()}
    shapes = speech_tokenizer_shapes(WHISPER) | further
    shapes |= {f"{PREFIX}layer_norm.weight": (width,), f"{PREFIX}layer_norm.bias": (width,)}
    shapes["model.decoder.embed_positions.weight"] = (4, width)
    arrays = drawn(noise, "speech_tokenizer", shapes)
    arrays[f"{PREFIX}ema_weight"] = arrays[f"{PREFIX}codebook.weight"].copy()
    arrays[f"{PREFIX}ema_count"] = np.ones(WHISPER.quantize_vocab_size, np.float32)
    return arrays


def flow(noise: Noise, sizes: FlowSizes = FLOW) -> Arrays:
    """The DiT."""
    arrays = drawn(noise, "flow", flow_shapes(sizes))
    half = sizes.dim_head // 2
    frequencies = [10_000.0 ** (-index / half) for index in range(half)]
    arrays["estimator.rotary_embed.inv_freq"] = np.array(frequencies, np.float32)
    arrays["estimator.proj_out.weight"] *= np.float32(0.2)
    arrays["estimator.proj_out.bias"][:] = _MEL
    return arrays


def hift(noise: Noise, sizes: HiftSizes = HIFT) -> Arrays:
    """The vocoder: a fundamental around 160 Hz, and a spectrum that stays far from clipping."""
    arrays = drawn(noise, "hift", hift_shapes(sizes))
    arrays["m_source.l_linear.weight"] = noise("hift/source", (1, 9), 0.5, 2.0)
    arrays["f0_predictor.classifier.weight"] *= np.float32(40.0)
    arrays["f0_predictor.classifier.bias"][:] = _HERTZ
    arrays["conv_post.parametrizations.weight.original0"] *= np.float32(0.15)
    arrays["conv_post.bias"][:9] = _LEVEL - _TILT * np.arange(9, dtype=np.float32)
    arrays["conv_post.bias"][0] = _CONSTANT
    return arrays


def vocos(noise: Noise) -> Arrays:
    """The vocoder for 32 kHz: 640 samples of a frame."""
    return {"weight": noise("vocos/weight", (640, 80), 0.02), "bias": noise("vocos/bias", (640,), 0.1)}


def speaker(noise: Noise) -> Arrays:
    """The speaker encoder: a layer of each frame, and one of its means and squares over time."""
    return {
        "frames": noise("speaker/frames", (80, 64), 0.1),
        "vector": noise("speaker/vector", (128, 192), 0.3),
        "bias": noise("speaker/bias", (192,), 0.1),
    }


def drawn(noise: Noise, part: str, shapes: Shapes) -> Arrays:
    """Tensors of these shapes, each drawn by its name within the part."""
    return {name: _one(noise, f"{part}/{name}", shape) for name, shape in shapes.items()}


def _one(noise: Noise, name: str, shape: tuple[int, ...]) -> Floats:
    """Matrices keep the size of what passes them, vectors that multiply lie around 1 and biases around 0."""
    if name.endswith(".alpha") or (len(shape) == 1 and name.endswith(".weight")):
        return noise(name, shape, 0.1, 1.0)
    if name.endswith(".original0"):
        return noise(name, shape, 0.05, 1.0)
    if "embed" in name and name.endswith("weight") and len(shape) == 2 and "proj" not in name:
        return noise(name, shape, 0.5)
    if len(shape) > 1 and "grn" not in name:
        return noise(name, shape, 1 / math.sqrt(math.prod(shape[1:])))
    return noise(name, shape, 0.05)
