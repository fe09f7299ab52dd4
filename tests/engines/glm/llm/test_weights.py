"""Reading llm/: sizes and weights as they stand there, and what is wrong with them by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.llm.llama import Llama
from streamer.errors import CheckpointError
from tests.engines.glm.golden import TINY
from tests.engines.glm.llm.models import BF16, CPU, FP32, SPEECH, golden

_EMBEDDING, _OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
_QUERIES = "model.layers.0.self_attn.q_proj.weight"


class Folder:
    """A copy of the tiny checkpoint's llm/, to be changed."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        shutil.copytree(TINY.llm, root / "llm")
        self.tensors: dict[str, Tensor] = load_file(root / "llm" / "model.safetensors")

    def config(self, **fields: Any) -> None:
        """Set these fields; None: take them out."""
        path = self.layout.llm / "config.json"
        document = json.loads(path.read_bytes()) | fields
        path.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))

    def save(self, file: str = "model.safetensors") -> None:
        save_file(self.tensors, self.layout.llm / file)

    def open(self, dtype: torch.dtype = FP32) -> Llama:
        return Llama.open(self.layout, CPU, dtype, SPEECH)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _logits(model: Llama) -> Tensor:
    return model.logits(model.prefill(torch.tensor([5, 6, 4619, 5000]), model.cache(1, 256), 0))


def test_the_head_dim_follows_from_the_others_where_it_is_missing(folder: Folder) -> None:
    folder.config(head_dim=None)
    assert torch.equal(_logits(folder.open()), _logits(golden()))


def test_heads_need_not_fill_the_hidden_size(folder: Folder) -> None:
    folder.config(head_dim=8)
    for part, rows in (("q", 32), ("k", 16), ("v", 16)):
        for layer in range(2):
            name = f"model.layers.{layer}.self_attn.{part}_proj.weight"
            folder.tensors[name] = folder.tensors[name][:rows].contiguous()
    for layer in range(2):
        name = f"model.layers.{layer}.self_attn.o_proj.weight"
        folder.tensors[name] = folder.tensors[name][:, :32].contiguous()
    folder.save()
    assert _logits(folder.open()).isfinite().all()


def test_theta_is_read_from_wherever_it_stands(folder: Folder) -> None:
    folder.config(rope_theta=None, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"})
    assert torch.equal(_logits(folder.open()), _logits(golden()))
    folder.config(rope_parameters={"rope_theta": 500.0, "rope_type": "default"})
    assert not torch.equal(_logits(folder.open()), _logits(golden()))


def test_an_output_matrix_of_its_own(folder: Folder) -> None:
    model = folder.open()
    ids = torch.tensor(model.columns.ids)
    assert torch.equal(model.output, folder.tensors[_OUTPUT][ids].to(FP32))
    assert torch.equal(model.embedding, folder.tensors[_EMBEDDING].to(FP32))


@pytest.mark.parametrize("stored", [False, True], ids=["left out", "stored"])
def test_a_tied_output_matrix_is_the_embedding(folder: Folder, stored: bool) -> None:
    folder.config(tie_word_embeddings=True)
    if not stored:
        del folder.tensors[_OUTPUT]
        folder.save()
    model = folder.open()
    assert torch.equal(model.output, folder.tensors[_EMBEDDING][torch.tensor(model.columns.ids)].to(FP32))


def test_an_output_matrix_that_is_missing(folder: Folder) -> None:
    del folder.tensors[_OUTPUT]
    folder.save()
    with pytest.raises(CheckpointError, match=r"lm_head\.weight is missing"):
        folder.open()


def test_tensors_that_older_files_hold_too(folder: Folder) -> None:
    folder.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    folder.save()
    assert torch.equal(_logits(folder.open()), _logits(golden()))


def test_shards(folder: Folder) -> None:
    names = sorted(folder.tensors)
    whole = folder.tensors
    places: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2])):
        folder.tensors = {name: whole[name] for name in part}
        folder.save(file := f"model-0000{number}.safetensors")
        places |= dict.fromkeys(part, file)
    (folder.layout.llm / "model.safetensors").unlink()
    (folder.layout.llm / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert torch.equal(_logits(folder.open()), _logits(golden()))


def test_weights_come_in_the_precision_asked_for(folder: Folder) -> None:
    model = folder.open(BF16)
    assert model.layers[0].attention.joint.dtype == BF16
    assert torch.equal(model.layers[0].attention.joint[:64], folder.tensors[_QUERIES])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "`rope_scaling` is of the type 'llama3'"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "`rope_scaling` is of the type 'linear'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "`rope_parameters` is of the type 'yarn'"),
        ({"rope_theta": None}, "`rope_theta` is missing"),
        ({"rope_parameters": {"rope_theta": "much"}}, "`rope_theta` is missing or no positive number"),
        ({"rope_theta": -1.0}, "rope_theta"),
        ({"attention_bias": True}, "`attention_bias` is True"),
        ({"mlp_bias": True}, "`mlp_bias` is True"),
        ({"hidden_act": "gelu"}, "`hidden_act` is 'gelu'"),
        ({"model_type": "qwen2"}, "`model_type` is 'qwen2'"),
        ({"quantization_config": {"bits": 4}}, "`quantization_config` is"),
        ({"hidden_size": None}, "hidden_size"),
        ({"rms_norm_eps": None}, "rms_norm_eps"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"head_dim": 15}, "`head_dim` is 15"),
        ({"head_dim": None, "num_attention_heads": 6}, "`head_dim` is missing"),
        ({"num_key_value_heads": 3}, "no multiple of `num_key_value_heads` 3"),
        ({"vocab_size": 30000}, "`vocab_size` is 30000, and the tokenizer knows id 37608"),
    ],
)
def test_what_the_configuration_cannot_be(folder: Folder, fields: dict[str, Any], message: str) -> None:
    folder.config(**fields)
    with pytest.raises(CheckpointError) as caught:
        folder.open()
    assert message in str(caught.value)
    assert str(folder.layout.llm / "config.json") in str(caught.value)


def test_weights_of_another_shape(folder: Folder) -> None:
    folder.tensors[_QUERIES] = torch.zeros(64, 32)
    folder.save()
    with pytest.raises(CheckpointError, match=r"q_proj\.weight has the shape \(64, 32\), .* \(64, 64\)"):
        folder.open()


def test_weights_that_are_no_numbers(folder: Folder) -> None:
    folder.tensors[_QUERIES][3, 3] = torch.nan
    folder.save()
    with pytest.raises(CheckpointError, match=r"q_proj\.weight holds numbers that are not finite"):
        folder.open()
