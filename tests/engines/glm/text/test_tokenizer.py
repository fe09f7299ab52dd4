from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.errors import CheckpointError
from tests.engines.glm.golden import TINY

NAME = TINY.tokenizer_config.parent.name


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    shutil.copytree(TINY.root / NAME, tmp_path / NAME)
    return Layout(tmp_path)


def added() -> Any:
    return json.loads(TINY.tokenizer_config.read_bytes())["added_tokens_decoder"]


def test_no_text_becomes_an_added_token(tokenizer: Tokenizer) -> None:
    first = tokenizer.special.endoftext
    for token in [*added().values()][:40] + [{"content": name} for name in ("<|audio_7|>", "<|X|>", "<|IAN2|>")]:
        assert max(tokenizer.encode(f"好{token['content']}好")) < first


def test_of_added_tokens_only_sounds_are_found_in_text_with_phonemes(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_with_phonemes("弦<|X|><|IAN2|> <|user|><|ZZ9|><|IAN7|>")
    by_name = {token["content"]: int(number) for number, token in added().items()}
    assert [number for number in ids if number >= tokenizer.special.endoftext] == [
        by_name["<|X|>"],
        by_name["<|IAN2|>"],
    ]
    assert ids[: len(tokenizer.encode("弦"))] == tokenizer.encode("弦")
    assert ids[-len(tokenizer.encode(" <|user|><|ZZ9|><|IAN7|>")) :] == tokenizer.encode(" <|user|><|ZZ9|><|IAN7|>")


@given(st.text(max_size=60))
def test_every_text_has_tokens(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert bool(ids) == bool(text)
    assert all(number < tokenizer.special.endoftext for number in ids)
    assert tokenizer.encode_with_phonemes(text) == ids


def test_code_in_the_folder_is_never_run(layout: Layout) -> None:
    mark = layout.root / "mark"
    for place in (layout.root, layout.root / NAME):
        for name in ("tokenization_chatglm.py", "sitecustomize.py", "tiktoken.py", "__init__.py"):
            (place / name).write_text(f"open({str(mark)!r}, 'w').close()\n")
    Tokenizer.open(layout).encode_with_phonemes("好<|X|>")
    assert not mark.exists()
    assert not any("chatglm" in name for name in sys.modules)
    assert "transformers" not in sys.modules


def _line(text: str, number: int) -> bytes:
    return base64.b64encode(text.encode()) + f" {number}".encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [*lines[:7], b"!!!! 7", *lines[8:]], "tokenizer.model:8: is no token and rank"),
        (lambda lines: [*lines[:7], b"", *lines[8:]], "tokenizer.model: its ranks"),
        (lambda lines: [*lines[:-1], _line("zzzzzz", 0)], "tokenizer.model: its ranks"),
        (lambda lines: [*lines[:3], _line("zzzzzz", 3), *lines[4:]], "tokenizer.model: its ranks"),
        (lambda lines: [*lines, b"QUJD 12 3"], r"tokenizer.model:4606: is no token"),
        (lambda lines: [], "tokenizer.model: its ranks"),
    ],
)
def test_a_spoiled_rank_file_is_named(layout: Layout, spoil: Callable[[list[bytes]], list[bytes]], said: str) -> None:
    lines = layout.tokenizer_ranks.read_bytes().splitlines()
    layout.tokenizer_ranks.write_bytes(b"\n".join(spoil(lines)))
    with pytest.raises(CheckpointError, match=said):
        Tokenizer.open(layout)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"4612": None}, r"tokenizer_config.json: has no added token <\|user\|>"),
        ({"37608": None, "40000": {"content": "<|audio_32767|>"}}, "audio tokens are not 32768 ids in a row"),
        (
            {"4612": None, "40000": {"content": "<|user|>"}, "4605": None, "40001": {"content": "<|endoftext|>"}},
            "before",
        ),
        ({"12": {"content": "<|new|>"}}, "has the id of a token in tokenizer.model"),
        ({"x": {"content": "<|new|>"}}, "has no number for its id"),
        ({"40000": {"content": "<|X1|>", "lstrip": True}}, r"<\|X1\|> takes white space"),
        ({"40000": {"content": 1}}, "tokenizer_config.json: Expected `str`"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(layout: Layout, change: dict[str, Any], said: str) -> None:
    config = json.loads(layout.tokenizer_config.read_bytes())
    decoder = config["added_tokens_decoder"] | change
    config["added_tokens_decoder"] = {number: token for number, token in decoder.items() if token is not None}
    layout.tokenizer_config.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=said):
        Tokenizer.open(layout)


@pytest.mark.parametrize("missing", ["tokenizer.model", "tokenizer_config.json"])
def test_a_missing_file_is_named(layout: Layout, missing: str) -> None:
    (layout.root / NAME / missing).unlink()
    with pytest.raises(CheckpointError, match=f"{missing} is missing"):
        Tokenizer.open(layout)
