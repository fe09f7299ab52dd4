"""What is told about several ways, and what is found wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.engine.comparison import differing, equals, wrong_lengths
from benchmarks.engine.load import Text
from benchmarks.engine.order import Figures, Order, Step
from benchmarks.engine.plan import plan
from benchmarks.engine.profile import profile
from benchmarks.engine.reading import live_keys, mean_positions, weights
from benchmarks.engine.table import COLUMNS, Way, rows
from streamer.engines.glm.llm.config import LlamaConfig


def way(hashes: dict[int, str], **details: Any) -> Figures:
    given: dict[str, Any] = {
        "audio": dict.fromkeys(hashes, 2.0),
        "hashes": hashes,
        "wall": 4.0,
        "first": 1.0,
        "stages": {"LLM": 3.0, "flow": 1.0},
        "rss": 2**30,
    }
    return Figures(**(given | details))


def test_an_utterance_has_one_hash_wherever_it_was_spoken() -> None:
    first, second, third = way({1: "a", 2: "b"}), way({2: "b", 3: "c"}), way({1: "a", 3: "x"})
    assert differing([first, second]) == []
    assert differing([first, second, third]) == [3]
    assert equals(first, []) == "-"
    assert equals(second, [first]) == "1 of 1"
    assert equals(third, [first, second]) == "1 of 2"


def test_audio_is_as_long_as_its_text_forces() -> None:
    texts = [Text(number=1, text="", tokens=3), Text(number=2, text="", tokens=4)]
    assert wrong_lengths(way({}, audio={1: 2.38, 2: 3.2}), texts) == []
    (problem,) = wrong_lengths(way({}, audio={1: 2.4, 2: 3.16}), texts)
    assert "utterance 2 of 4 text tokens is 3.16 s long, expected are 3.20 s" in problem
    assert len(wrong_lengths(way({}), texts)) == 2


def test_the_table_is_in_multiples_of_one_at_a_time() -> None:
    alone = Way("one at a time", 1, way({1: "a"}))
    step = Step(seconds=0.3, rows=4, bytes=1000, bandwidth=10_000.0)
    ours = [
        Way("fp32", 1, way({1: "b"}, wall=2.0)),
        Way("fp32", 4, way({1: "b", 2: "c"}, wall=1.0, step=step, idle=0.171, allocated=2**21)),
        Way("bf16", 4, way({1: "d"})),
    ]
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows(alone, ours)]
    assert [row["way"] for row in found] == ["one at a time", "fp32, 1 at once", "fp32, 4 at once", "bf16, 4 at once"]
    assert [row["×"] for row in found] == [1.0, 2.0, 8.0, 1.0]
    assert [row["same bytes"] for row in found] == ["-", "-", "1 of 1", "-"]
    assert [row["MiB"] for row in found] == [1024, 1024, 2, 1024]
    assert (found[2]["step ×"], found[2]["idle %"]) == ("3.00", 17.1)
    assert found[0]["LLM/flow/vocoder/text/files %"] == "75/25/-/-/-"


def test_orders_and_figures_travel_between_processes() -> None:
    order = Order(checkpoint="a", cache="b", device="cpu", texts=[Text(number=1, text="好。", tokens=2)])
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
    figures = way({7: "a"}, step=Step(seconds=1.0, rows=2, bytes=3, bandwidth=4.0))
    assert msgspec.json.decode(msgspec.json.encode(figures), type=Figures) == figures


def test_profiles_by_name_key_and_file(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text('[engine.glm]\nrows = 3\nsampling = "topk"\n')
    given = profile(["bf16", str(file), "positions=512", "device=cpu"], "cpu")
    assert given.name == "bf16 small positions=512 device=cpu"
    assert given.settings["llm_precision"] == "bf16"
    assert (given.settings["rows"], given.settings["positions"], given.settings["sampling"]) == (3, 512, "topk")
    assert profile([], "cpu").settings["rows"] < profile([], "cuda").settings["rows"]
    with pytest.raises(ValueError, match="'fp64' is neither"):
        profile(["fp64"], "cpu")
    with pytest.raises(ValueError, match=r"missing\.toml"):
        profile([str(tmp_path / "missing.toml")], "cpu")


def test_what_a_step_has_to_read() -> None:
    config = LlamaConfig(
        model_type="llama",
        hidden_act="silu",
        vocab_size=98_304,
        hidden_size=2048,
        intermediate_size=6144,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=4,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_theta=10_000.0,
    )
    assert weights(config, 98_304, 2) == pytest.approx(2 * 1.552e9, rel=1e-3)
    assert live_keys(config, 1.0, 1, 4) == 114_688
    texts = [Text(number=0, text="", tokens=10), Text(number=1, text="", tokens=10)]
    assert mean_positions(texts, 140, 20) == 250


def test_a_plan_can_be_kept() -> None:
    assert msgspec.to_builtins(plan("tiny", "cpu"))["concurrency"] == (1, 4, 16, 64, 128)
