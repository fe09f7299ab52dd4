"""The folder of noise in official sizes: what it is made like, tried in sizes that take no time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.shapes.flow import flow_shapes
from streamer.engines.glm.checkpoint.shapes.hift import hift_shapes
from streamer.engines.glm.checkpoint.shapes.llm import LlamaSizes, llm_shapes
from streamer.engines.glm.checkpoint.tensors import headers
from streamer.engines.glm.checkpoint.tiny import official
from streamer.engines.glm.checkpoint.tiny.official import Sizes, make_official
from streamer.engines.glm.checkpoint.tiny.sizes import CODES, FLOW, HIFT
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.engines.glm.vocoder.hift import Hift

CPU = torch.device("cpu")
SMALL = LlamaSizes(
    vocab_size=38_016,
    hidden_size=64,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    root = tmp_path_factory.mktemp("official")
    make_official(root, 0, Sizes(llama=SMALL, flow=FLOW, hift=HIFT))
    return Layout(root)


def test_the_sizes_are_those_of_the_published_weights() -> None:
    def parameters(shapes: dict[str, tuple[int, ...]]) -> int:
        return sum(map(math.prod, shapes.values()))

    assert round(parameters(llm_shapes(official.LLAMA, tied=True)) / 1e9, 3) == 1.552
    flow = flow_shapes(official.FLOW)
    frequencies = math.prod(flow.pop("estimator.rotary_embed.inv_freq"))  # computed, not learnt
    assert (parameters(flow), frequencies) == (225_299_792, 32)
    assert parameters(hift_shapes(official.HIFT)) == 20_821_295


def test_every_part_of_it_opens(folder: Layout) -> None:
    assert folder.tiny
    Flow.open(folder, CPU)
    Hift.open(folder, CPU)
    Llama.open(folder, CPU, torch.float32, Tokenizer.open(folder).special)


def test_each_layer_is_a_file_and_the_output_is_the_embedding(folder: Layout) -> None:
    found = headers(folder.llm)
    assert set(found) == set(llm_shapes(SMALL, tied=True))
    assert {header.dtype for header in found.values()} == {"BF16"}
    assert len({header.file for header in found.values()}) == 1 + SMALL.num_hidden_layers + 1


def test_nothing_but_speech_is_likely_and_no_end(folder: Layout) -> None:
    special = Tokenizer.open(folder).special
    model = Llama.open(folder, CPU, torch.float32, special)
    assert special.audio_last - special.audio_first + 1 == CODES
    constant = model.embedding[:, 0]
    assert bool((constant[special.audio_first : special.audio_last + 1] == 1).all())
    assert float(constant[special.end_of_audio]) == float(constant[special.audio_first - 1]) == -60
    with torch.inference_mode():
        ids = torch.tensor([17, special.begin_of_audio, special.audio_first, special.audio_first + 9])
        logits = model.logits(model.prefill(ids, model.cache(1, 256), 0)[-1])
    assert bool(logits.isfinite().all())
    assert float(logits[model.columns.end]) < float(logits[model.columns.audio :].mean()) - 10


def test_a_folder_cut_short_has_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="no space"):
        make_official(tmp_path, 0, Sizes(llama=SMALL, flow=FLOW, hift=HIFT))
    assert not Layout(tmp_path).tiny
