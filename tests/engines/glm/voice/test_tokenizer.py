from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from streamer.engines.glm.voice.features import PIECE, RATE, pieces_of
from streamer.engines.glm.voice.tokenizer import SpeechTokenizer
from streamer.engines.glm.voice.tokenizer_config import TokenizerConfig, read_config
from streamer.engines.glm.voice.transformer import Encoder, blockwise, nearest
from streamer.errors import CheckpointError
from tests.engines.glm.golden import TINY
from tests.engines.glm.voice.sounds import voiced

CPU = torch.device("cpu")
OFFICIAL = TokenizerConfig(
    d_model=1280,
    encoder_attention_heads=20,
    encoder_ffn_dim=5120,
    encoder_layers=32,
    num_mel_bins=128,
    max_source_positions=1500,
    pooling_kernel_size=2,
    pooling_position=16,
    quantize_position=16,
    quantize_vocab_size=32768,
    quantize_causal_block_size=200,
    pooling_type="avg",
    activation_function="gelu",
    encoder_causal_convolution=True,
)
"""As far as the sizes of the published model are known."""


def wave(seconds: float) -> torch.Tensor:
    return torch.from_numpy(voiced(seconds, RATE)[:, 0].copy())


def test_a_row_of_a_batch_is_itself_alone(tokenizer: SpeechTokenizer) -> None:
    """Whatever stands beside it: shorter, longer, louder."""
    pieces = [wave(3.0), wave(7.32) * 2.0, wave(1.0) * 0.1, wave(3.0)]
    features = tokenizer.features(pieces)
    together = tokenizer.hidden(features)
    assert together.shape == (4, 183, 32)
    assert torch.equal(together[0], together[3])
    for row, piece in enumerate(pieces):
        alone = tokenizer.hidden(tokenizer.features([piece]))[0]
        tokens = int(features.mask[row, ::4].sum())
        assert tokens == len(piece) // 640
        np.testing.assert_allclose(together[row, :tokens], alone[:tokens], rtol=0, atol=2e-5)


def test_tokens_of_a_long_sound_are_those_of_its_pieces(tokenizer: SpeechTokenizer) -> None:
    long = torch.cat([wave(30.0), wave(2.0) * 0.5])
    assert [len(piece) for piece in pieces_of(long)] == [PIECE, 2 * RATE]
    found = tokenizer.tokens(long)
    assert len(found) == 800
    assert torch.equal(found[:750], tokenizer.tokens(long[:PIECE]))
    assert torch.equal(found[750:], tokenizer.tokens(long[PIECE:]))


@pytest.mark.parametrize("samples", [1, 639, 640, 641, 48_000, 48_159, 48_161])
def test_a_token_for_each_640_samples_begun(samples: int, tokenizer: SpeechTokenizer) -> None:
    assert len(tokenizer.tokens(torch.ones(samples) * 0.1)) == -(-samples // 640)


def test_the_same_tokens_whatever_went_before(tokenizer: SpeechTokenizer) -> None:
    before = tokenizer.tokens(wave(3.3))
    tokenizer.tokens(wave(5.1) * 0.3)
    assert torch.equal(tokenizer.tokens(wave(3.3)), before)


def test_no_random_number_is_drawn_at_opening() -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    SpeechTokenizer.open(TINY.speech_tokenizer, CPU)
    assert torch.equal(torch.get_rng_state(), state)


def test_blocks_see_themselves_and_what_was_before() -> None:
    assert blockwise(5, 2, CPU).int().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


def test_nearest_code() -> None:
    random = torch.Generator().manual_seed(0)
    hidden, codes = torch.randn(2, 5, 8, generator=random), torch.randn(300, 8, generator=random)
    assert torch.equal(nearest(hidden, codes), torch.cdist(hidden.double(), codes.double()).argmin(-1))


def test_the_published_size() -> None:
    with torch.device("meta"):
        encoder = Encoder(OFFICIAL)
    shapes = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    assert len(shapes) == 4 + 2 + 16 * 15
    assert shapes["conv1.weight"] == (1280, 128, 3)
    assert shapes["conv2.weight"] == (1280, 1280, 3)
    assert shapes["embed_positions.weight"] == (1500, 1280)
    assert shapes["codebook.weight"] == (32768, 1280)
    assert shapes["layers.15.self_attn.k_proj.weight"] == (1280, 1280)
    assert "layers.15.self_attn.k_proj.bias" not in shapes
    assert shapes["layers.15.fc1.weight"] == (5120, 1280)
    assert "layers.16.fc1.weight" not in shapes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY.speech_tokenizer, tmp_path / "speech_tokenizer"))


def change(path: Path, **values: Any) -> None:
    """Fields of a JSON object; None: take it out."""
    fields = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pooling_type": "max"}, "pooling_type is 'max'; supported is 'avg' only"),
        ({"activation_function": "relu"}, "activation_function"),
        ({"encoder_causal_convolution": False}, "encoder_causal_convolution is False"),
        ({"encoder_causal_attention": True}, "encoder_causal_attention is True"),
        ({"quantize_causal_encoder": True}, "quantize_causal_encoder is True"),
        ({"scale_embedding": True}, "scale_embedding is True"),
        ({"pooling_position": 1}, "pooling_position is 1; supported is 2 only"),
        ({"quantize_position": 4, "pooling_position": 4}, "quantize_position 4 lies behind encoder_layers"),
        ({"encoder_attention_heads": 5}, "d_model 32 is no multiple"),
        ({"pooling_kernel_size": 0}, "pooling_kernel_size is 0"),
        ({"max_source_positions": 100}, "max_source_positions 100"),
        ({"num_mel_bins": 80}, "feature_size is 128; supported is 80 only"),
        ({"d_model": None}, "d_model"),
        ({"d_model": "32"}, "d_model"),
    ],
)
def test_a_configuration_of_another_model(values: dict[str, Any], said: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    with pytest.raises(CheckpointError, match=said):
        SpeechTokenizer.open(folder, CPU)


def test_the_preprocessor_may_be_missing_but_not_another(folder: Path) -> None:
    change(folder / "preprocessor_config.json", hop_length=200)
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json: hop_length is 200"):
        read_config(folder)
    (folder / "preprocessor_config.json").unlink()
    assert read_config(folder).samples_a_token == 640


@pytest.mark.parametrize(
    "name", ["embed_positions2.weight", "ema_count", "ema_weight", "codebook.weight", "layers.1.self_attn.v_proj.bias"]
)
def test_a_tensor_that_is_missing_or_of_another_shape(name: str, folder: Path) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    cut = tensors.pop(f"model.encoder.{name}")[:1].contiguous()
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: tensor model\.encoder\.{name} is missing"):
        SpeechTokenizer.open(folder, CPU)
    save_file({**tensors, f"model.encoder.{name}": cut}, file)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: tensor model\.encoder\.{name} has the shape"):
        SpeechTokenizer.open(folder, CPU)


def test_a_tensor_of_another_model(folder: Path) -> None:
    file = folder / "model.safetensors"
    save_file({**load_file(file), "model.encoder.layers.0.gate.weight": torch.ones(1)}, file)
    with pytest.raises(CheckpointError, match=r"layers\.0\.gate\.weight belongs to no part"):
        SpeechTokenizer.open(folder, CPU)


def test_what_is_not_needed_may_be_missing(folder: Path, tokenizer: SpeechTokenizer) -> None:
    """The decoder, the layers behind the codes, the last norm."""
    file = folder / "model.safetensors"
    needed = {
        name: tensor
        for name, tensor in load_file(file).items()
        if name.startswith("model.encoder.") and "layers.2." not in name and "encoder.layer_norm." not in name
    }
    save_file(needed, file)
    found = SpeechTokenizer.open(folder, CPU)
    assert found.digest == tokenizer.digest
    assert torch.equal(found.tokens(wave(3.0)), tokenizer.tokens(wave(3.0)))


def test_the_digest_follows_the_weights(folder: Path, tokenizer: SpeechTokenizer) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    tensors["model.encoder.conv1.bias"][0] += 1e-3
    save_file(tensors, file)
    assert SpeechTokenizer.open(folder, CPU).digest != tokenizer.digest
