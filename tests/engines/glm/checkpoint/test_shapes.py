"""Held to the lists of the official sizes and of the tiny checkpoint in tests/golden."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from streamer.engines.glm.checkpoint.configs import read_json, read_yaml
from streamer.engines.glm.checkpoint.shapes import Shapes
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes, flow_shapes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes, hift_shapes, hift_sizes
from streamer.engines.glm.checkpoint.shapes.llm import OUTPUT, LlamaSizes, llm_shapes
from streamer.engines.glm.checkpoint.shapes.speech_tokenizer import WhisperSizes, speech_tokenizer_shapes
from streamer.engines.glm.checkpoint.tiny.official import LLAMA
from tests.engines.glm.golden import TINY, document


class Sized(NamedTuple):
    shape: tuple[int, ...]


def listed(name: str) -> Shapes:
    return {tensor: tuple(shape) for tensor, shape in document(f"shapes/shapes_{name}").items()}


def tiny(file: str) -> Shapes:
    return {tensor: tuple(shape) for tensor, (shape, *_) in document("checkpoint_tensors")[file].items()}


def test_the_official_sizes() -> None:
    assert llm_shapes(LLAMA, tied=False) == listed("llm")
    assert flow_shapes(FlowSizes()) == listed("flow")
    assert hift_shapes(HiftSizes(512, 512)) == listed("hift")


def test_the_tiny_sizes() -> None:
    llm = read_json(TINY.llm / "config.json", LlamaSizes)
    assert llm_shapes(llm, tied=False) == tiny("llm/model.safetensors")
    assert flow_shapes(read_yaml(TINY.flow_config, FlowSizes)) == tiny("flow/flow.pt")
    assert hift_shapes(HiftSizes(32, 32)) == tiny("hift/hift.pt")
    whisper = read_json(TINY.speech_tokenizer / "config.json", WhisperSizes)
    needed, there = speech_tokenizer_shapes(whisper), tiny("speech_tokenizer/model.safetensors")
    assert needed.items() <= there.items()
    assert {name for name in there if name not in needed} == {
        name
        for name in there
        if name.startswith(("model.decoder.", "model.encoder.layer_norm.", "model.encoder.layers.2."))
    }


def test_a_tied_output_is_not_stored_and_biases_are() -> None:
    untied = llm_shapes(LLAMA, tied=False)
    assert untied.keys() - llm_shapes(LLAMA, tied=True).keys() == {OUTPUT}
    sizes = LlamaSizes(
        vocab_size=10,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        attention_bias=True,
        mlp_bias=True,
    )
    biased = llm_shapes(sizes, tied=True)
    assert biased["model.layers.0.self_attn.k_proj.bias"] == (4,)
    assert biased["model.layers.0.mlp.down_proj.bias"] == (8,)


def test_widths_of_hift_are_read_from_its_biases() -> None:
    full = {name: Sized(shape) for name, shape in listed("hift").items()}
    assert hift_sizes(full) == (512, 512)
    assert hift_sizes({}) is None


@pytest.mark.parametrize("name", ["conv_pre.bias", "f0_predictor.condnet.0.bias"])
def test_no_widths_without_a_bias(name: str) -> None:
    shapes = {tensor: Sized(shape) for tensor, shape in tiny("hift/hift.pt").items()}
    assert hift_sizes({**shapes, name: Sized((1, 2))}) is None
    del shapes[name]
    assert hift_sizes(shapes) is None
