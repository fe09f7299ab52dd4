"""What is wrong with a folder is said by file and tensor, whatever is wrong."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.inspection import Finding, finding, findings
from streamer.engines.glm.checkpoint.layout import Layout
from tests.engines.glm.checkpoint.conftest import Damage
from tests.engines.glm.golden import TINY

LLM, SPEECH = "llm/model.safetensors", "speech_tokenizer/model.safetensors"
FLOW, HIFT = "flow/flow.pt", "hift/hift.pt"
VOCOS, SPEAKER = "vocos2d/generator_jit.ckpt", "frontend/campplus.onnx"
RANKS, ADDED = "vq32k-phoneme-tokenizer/tokenizer.model", "vq32k-phoneme-tokenizer/tokenizer_config.json"
PART_OF = {
    RANKS: "tokenizer",
    ADDED: "tokenizer",
    "llm/config.json": "llm",
    LLM: "llm",
    "speech_tokenizer/config.json": "speech_tokenizer",
    SPEECH: "speech_tokenizer",
    "flow/config.yaml": "flow",
    FLOW: "flow",
    HIFT: "hift",
    VOCOS: "vocos",
    SPEAKER: "speaker",
}
PARTS = (*dict.fromkeys(PART_OF.values()), "together")


def failed(found: Finding, *expected: str) -> None:
    assert not found.ok, found
    for text in expected:
        assert text in found.text
    assert "\n" not in found.text


def saved(document: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer, **options)
    return buffer.getvalue()


def pickled(layout: Layout, name: str) -> dict[str, Tensor]:
    document: dict[str, Any] = torch.load(layout.root / name, weights_only=True)
    tensors: dict[str, Tensor] = document.get("model", document)
    return tensors


def weights(layout: Layout, name: str) -> dict[str, Tensor]:
    return safetensors.torch.load((layout.root / name).read_bytes())


def changed(layout: Layout, name: str, change: Callable[[dict[str, Tensor]], object]) -> bytes:
    """The content of a file of weights after a change."""
    if name in (LLM, SPEECH):
        tensors = weights(layout, name)
        change(tensors)
        return safetensors.torch.save(tensors)
    tensors = pickled(layout, name)
    change(tensors)
    return saved(tensors)


def test_a_whole_folder_passes(tiny: Layout) -> None:
    found = list(findings(tiny, vocos=False))
    assert [each.part for each in found] == list(PARTS)
    assert all(each.ok for each in found), found
    assert "32" in found[5].text and "vocos_sha256" in found[5].text


def test_the_golden_folder_passes() -> None:
    """It is of another origin, and beside its speaker encoder."""
    found = list(findings(TINY, vocos=True))
    assert all(each.ok for each in found), found


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    found = list(findings(Layout(tmp_path), vocos=False))
    assert [each.ok for each in found] == [False, False, False, False, False, True, False]
    for each in found:
        if not each.ok:
            assert str(tmp_path) in each.text
            assert "is missing" in each.text
    assert not finding(Layout(tmp_path), "vocos").ok


@pytest.mark.parametrize("name", PART_OF)
def test_a_file_is_missing(damage: Damage, name: str) -> None:
    layout = damage(name, None)
    failed(finding(layout, PART_OF[name]), str(layout.root / name), "is missing")


@pytest.mark.parametrize("name", PART_OF)
def test_a_file_is_cut(tiny: Layout, damage: Damage, name: str) -> None:
    content = (tiny.root / name).read_bytes()
    lengths = [0, 1, 100, len(content) // 2]
    if name != "flow/config.yaml":  # whose last lines say what would be taken for granted
        lengths += [len(content) * 9 // 10, len(content) - 2]
    for length in lengths:
        layout = damage(name, content[:length])
        failed(finding(layout, PART_OF[name]), str(layout.root))


@pytest.mark.parametrize("name", PART_OF)
def test_a_file_is_something_else(damage: Damage, name: str) -> None:
    for content in (b"<html>sign in</html>", b"\x00" * 5000, bytes(range(256)) * 40, b"{}", b"[1, 2]"):
        layout = damage(name, content)
        if name == "flow/config.yaml":
            failed(finding(layout, PART_OF[name]), "config.yaml")
        else:
            failed(finding(layout, PART_OF[name]), str(layout.root / name))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (LLM, SPEECH),
        (SPEECH, LLM),
        (FLOW, HIFT),
        (HIFT, FLOW),
        (FLOW, VOCOS),
        (FLOW, LLM),
        (LLM, FLOW),
        (SPEAKER, VOCOS),
    ],
)
def test_two_files_changed_places(tiny: Layout, damage: Damage, name: str, other: str) -> None:
    layout = damage(name, (tiny.root / other).read_bytes())
    failed(finding(layout, PART_OF[name]), str(layout.root / name))


TENSORS = [
    (LLM, "model.layers.1.mlp.up_proj.weight"),
    (SPEECH, "model.encoder.codebook.weight"),
    (FLOW, "estimator.transformer_blocks.1.ff.ff.2.bias"),
    (HIFT, "resblocks.4.convs2.1.parametrizations.weight.original0"),
]


@pytest.mark.parametrize(("name", "tensor"), TENSORS)
def test_a_tensor_is_missing(tiny: Layout, damage: Damage, name: str, tensor: str) -> None:
    layout = damage(name, changed(tiny, name, lambda tensors: tensors.pop(tensor)))
    failed(finding(layout, PART_OF[name]), f"{layout.root / name}: tensor {tensor} is missing")


@pytest.mark.parametrize(("name", "tensor"), TENSORS)
def test_a_tensor_has_another_shape(tiny: Layout, damage: Damage, name: str, tensor: str) -> None:
    content = changed(tiny, name, lambda tensors: tensors.update({tensor: torch.zeros(3, 1, 5)}))
    layout = damage(name, content)
    failed(finding(layout, PART_OF[name]), f"{layout.root / name}: tensor {tensor} has the shape (3, 1, 5)")


@pytest.mark.parametrize(("name", "tensor"), TENSORS)
def test_a_tensor_is_of_whole_numbers(tiny: Layout, damage: Damage, name: str, tensor: str) -> None:
    content = changed(tiny, name, lambda tensors: tensors.update({tensor: tensors[tensor].to(torch.int64)}))
    layout = damage(name, content)
    failed(finding(layout, PART_OF[name]), f"{layout.root / name}: tensor {tensor} has the dtype int64")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("name", "tensor"), TENSORS)
def test_a_tensor_is_not_finite(tiny: Layout, damage: Damage, name: str, tensor: str, number: float) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[tensor] = tensors[tensor].clone()
        tensors[tensor].view(-1)[-1] = number

    layout = damage(name, changed(tiny, name, spoil))
    failed(finding(layout, PART_OF[name]), f"{layout.root / name}: tensor {tensor} holds numbers that are not finite")


@pytest.mark.parametrize("name", [LLM, FLOW, HIFT])
def test_a_tensor_too_many(tiny: Layout, damage: Damage, name: str) -> None:
    layout = damage(name, changed(tiny, name, lambda tensors: tensors.update({"adapter.weight": torch.zeros(2)})))
    failed(finding(layout, PART_OF[name]), f"{layout.root / name}: tensor adapter.weight belongs to no part")


def test_many_problems_are_counted(tiny: Layout, damage: Damage) -> None:
    layout = damage(FLOW, saved({"estimator.time_embed.time_mlp.0.bias": torch.zeros(64)}))
    failed(finding(layout, "flow"), "and 78 problems more")


def test_a_state_dict_may_stand_alone_or_under_model(tiny: Layout, damage: Damage) -> None:
    for name in (FLOW, HIFT):
        tensors = pickled(tiny, name)
        for document in (tensors, {"model": tensors}, {"model": tensors, "epoch": 3}):
            assert finding(damage(name, saved(document)), PART_OF[name]).ok


def test_the_older_format_of_torch_is_read(tiny: Layout, damage: Damage) -> None:
    content = saved(pickled(tiny, HIFT), _use_new_zipfile_serialization=False)
    assert finding(damage(HIFT, content), "hift").ok
    failed(finding(damage(HIFT, content[: len(content) // 2]), "hift"), HIFT)


@pytest.mark.parametrize("document", [[], {}, {"model": {}}, {"a": 1}, {1: torch.zeros(2)}, torch.zeros(3)])
def test_a_pickle_that_is_no_state_dict(damage: Damage, document: Any) -> None:
    failed(finding(damage(HIFT, saved(document)), "hift"), HIFT, "is no state dict")


class _Malicious:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self._marker),)


@pytest.mark.parametrize("name", [FLOW, HIFT])
def test_an_object_in_a_pickle_is_never_made(damage: Damage, tmp_path: Path, name: str) -> None:
    marker = tmp_path / "executed"
    evil = _Malicious(marker)
    contents = [
        saved({"model": {"conv_pre.bias": evil}}),
        saved(evil),
        saved(evil, _use_new_zipfile_serialization=False),
        pickle.dumps(evil),
    ]
    for content in contents:
        layout = damage(name, content)
        failed(finding(layout, PART_OF[name]), f"{layout.root / name}: cannot be read")
        assert not marker.exists()
    pickle.loads(contents[-1])  # noqa: S301 - it would have been
    assert marker.exists()


def test_torchscript_in_place_of_weights_is_not_loaded(tiny: Layout, damage: Damage) -> None:
    layout = damage(HIFT, (tiny.root / VOCOS).read_bytes())
    failed(finding(layout, "hift"), f"{layout.root / HIFT}: is TorchScript, which is code")


def sharded(tiny: Layout, damage: Damage, index: dict[str, str]) -> Layout:
    """The LLM in two shards, and an index that says which tensor lies where."""
    tensors = weights(tiny, LLM)
    first = {name: tensor for name, tensor in tensors.items() if "layers.0" in name}
    rest = {name: tensor for name, tensor in tensors.items() if name not in first}
    names = dict.fromkeys(first, "model-00001-of-00002.safetensors")
    names |= dict.fromkeys(rest, "model-00002-of-00002.safetensors")
    damage(LLM, None)
    damage("llm/model-00001-of-00002.safetensors", safetensors.torch.save(first))
    damage("llm/model-00002-of-00002.safetensors", safetensors.torch.save(rest))
    return damage("llm/model.safetensors.index.json", json.dumps({"weight_map": names | index}).encode())


def test_shards(tiny: Layout, damage: Damage) -> None:
    assert finding(sharded(tiny, damage, {}), "llm").ok
    layout = damage("llm/model-00002-of-00002.safetensors", None)
    failed(finding(layout, "llm"), "model-00002-of-00002.safetensors is missing", "index.json names it for tensor")
    damage("llm/model-00002-of-00002.safetensors", (layout.llm / "model-00001-of-00002.safetensors").read_bytes())
    failed(finding(layout, "llm"), "model-00002-of-00002.safetensors: tensor ", "says is there")
    for index in (b"{", b"[]", b"{}", b'{"weight_map": []}', b'{"weight_map": {}}', b"\xff"):
        failed(finding(damage("llm/model.safetensors.index.json", index), "llm"), "model.safetensors.index.json")


@pytest.mark.parametrize("shard", ["../flow/flow.pt", "/etc/passwd", "", ".", 3])
def test_a_shard_that_is_no_file_name(tiny: Layout, damage: Damage, shard: Any) -> None:
    layout = sharded(tiny, damage, {"model.norm.weight": shard})
    failed(finding(layout, "llm"), "model.safetensors.index.json: tensor model.norm.weight lies in")


def test_a_tensor_of_a_shard_is_named_with_its_shard(tiny: Layout, damage: Damage) -> None:
    layout = sharded(tiny, damage, {})
    path = layout.llm / "model-00001-of-00002.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    tensors["model.layers.0.mlp.up_proj.weight"] = torch.zeros(7, 7)
    damage("llm/model-00001-of-00002.safetensors", safetensors.torch.save(tensors))
    failed(finding(layout, "llm"), f"{path}: tensor model.layers.0.mlp.up_proj.weight has the shape (7, 7)")


def test_a_tied_output_matrix(tiny: Layout, damage: Damage) -> None:
    config = json.loads((tiny.llm / "config.json").read_bytes())
    untied = damage(LLM, changed(tiny, LLM, lambda tensors: tensors.pop("lm_head.weight")))
    failed(finding(untied, "llm"), "tensor lm_head.weight is missing")
    tied = damage("llm/config.json", json.dumps({**config, "tie_word_embeddings": True}).encode())
    assert finding(tied, "llm").ok
    assert "tied" in finding(tied, "llm").text


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("llm/config.json", "num_hidden_layers", 3),
        ("llm/config.json", "hidden_size", 64),
        ("speech_tokenizer/config.json", "quantize_vocab_size", 4097),
        ("speech_tokenizer/config.json", "d_model", 64),
    ],
)
def test_a_configuration_of_another_size(tiny: Layout, damage: Damage, name: str, field: str, value: int) -> None:
    config = json.loads((tiny.root / name).read_bytes())
    layout = damage(name, json.dumps({**config, field: value}).encode())
    failed(finding(layout, PART_OF[name]), "model.safetensors: tensor ")


def test_a_flow_of_another_size(tiny: Layout, damage: Damage) -> None:
    config = tiny.flow_config.read_text().replace("depth: 2", "depth: 3")
    layout = damage("flow/config.yaml", config.encode())
    failed(finding(layout, "flow"), f"{layout.flow}: tensor estimator.transformer_blocks.2", "is missing")


def test_tokens_that_are_looked_up_by_name(tiny: Layout, damage: Damage) -> None:
    config = json.loads(tiny.tokenizer_config.read_bytes())
    for name in ("<|user|>", "<|audio_32767|>"):
        added = {key: value for key, value in config["added_tokens_decoder"].items() if value["content"] != name}
        layout = damage(ADDED, json.dumps({**config, "added_tokens_decoder": added}).encode())
        failed(finding(layout, "tokenizer"), ADDED, name)


def test_ranks_that_end_at_a_line_before_their_last(tiny: Layout, damage: Damage) -> None:
    lines = tiny.tokenizer_ranks.read_bytes().splitlines(keepends=True)
    layout = damage(RANKS, b"".join(lines[:-40]))
    failed(
        finding(layout, "tokenizer"), f"{layout.tokenizer_ranks}: has 4400 ranks, but the added tokens begin at 4440"
    )


def test_parts_of_two_checkpoints(tiny: Layout, damage: Damage) -> None:
    """Each is whole, and they do not fit."""
    first = max(int(number) for number in json.loads(tiny.tokenizer_config.read_bytes())["added_tokens_decoder"])
    config = json.loads((tiny.llm / "config.json").read_bytes())
    layout = damage("llm/config.json", json.dumps({**config, "vocab_size": first}).encode())
    failed(finding(layout, "together"), f"vocab_size is {first}, but the last audio token is {first}")
    config = json.loads((tiny.speech_tokenizer / "config.json").read_bytes())
    damage("speech_tokenizer/config.json", json.dumps({**config, "quantize_vocab_size": 40_000}).encode())
    flow = tiny.flow_config.read_text().replace("vocab_size: 32768", "vocab_size: 1024")
    layout = damage("flow/config.yaml", flow.encode())
    failed(finding(layout, "together"), "has 40000 codes", "vocab_size is 1024")


def test_a_speaker_encoder_of_another_size(damage: Damage) -> None:
    from streamer.engines.glm.checkpoint.tiny import onnx, weights
    from streamer.engines.glm.checkpoint.tiny.noise import Noise

    arrays = weights.speaker(Noise(0))
    small = onnx.speaker_encoder({**arrays, "vector": arrays["vector"][:, :100], "bias": arrays["bias"][:100]})
    failed(finding(damage(SPEAKER, small), "speaker"), SPEAKER)
    arrays["vector"][0, 0] = float("nan")
    failed(finding(damage(SPEAKER, onnx.speaker_encoder(arrays)), "speaker"), SPEAKER, "not finite")
