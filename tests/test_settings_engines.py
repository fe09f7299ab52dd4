"""The sections of the engines, as `load` reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.resources import folder
from streamer.settings import load
from streamer.settings_engines import Glm, Schedule

DIGEST = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)


def problems(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[str, ...]:
    for name, value in variables.items():
        monkeypatch.setenv(f"STREAMER_{name}", value)
    with pytest.raises(ConfigurationError) as raised:
        load(None)
    return raised.value.problems


def test_glm_from_a_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "streamer.toml"
    file.write_text(
        f"""
        [engine]
        name = "glm"
        [engine.glm]
        checkpoint = "/srv/glm"
        sample_rate = 24_000
        vocos_sha256 = "{DIGEST}"
        device = "cuda:1"
        """
    )
    monkeypatch.setenv("STREAMER_ENGINE__GLM__SAMPLE_RATE", "32000")
    monkeypatch.setenv("STREAMER_ENGINE__GLM__ROWS", "3")
    glm = load(file).engine.glm
    assert (glm.checkpoint, glm.device, glm.rows, glm.vocos_sha256) == ("/srv/glm", "cuda:1", 3, DIGEST)
    assert glm.sample_rate == 32_000
    assert glm.dictionary == folder("configs") / "G2P_replace_dict.jsonl"


def test_without_its_engine_a_section_asks_for_nothing() -> None:
    assert load(None).engine.glm == Glm()


def test_glm_asks_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, ENGINE__NAME="glm")
    assert problem.startswith("engine.glm.checkpoint (environment: STREAMER_ENGINE__GLM__CHECKPOINT): is required with")
    assert "`streamer models pull`" in problem
    assert "got" not in problem


def test_the_vocoder_that_is_code_is_named_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(monkeypatch, ENGINE__GLM__SAMPLE_RATE="32000")
    assert problem.startswith("engine.glm.vocos_sha256 (environment: STREAMER_ENGINE__GLM__VOCOS_SHA256): is required")
    assert "sha256sum" in problem
    monkeypatch.setenv("STREAMER_ENGINE__GLM__VOCOS_SHA256", DIGEST)
    assert load(None).engine.glm.sample_rate == 32_000


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("device", "tpu", "auto, cpu, cuda or cuda:N"),
        ("device", "cuda:", "auto, cpu, cuda or cuda:N"),
        ("sample_rate", "16000", "24000 or 32000"),
        ("sample_rate", "many", "24000 or 32000"),
        ("vocos_sha256", "ABC", "64 digits"),
        ("rows", "0", "greater than or equal to 1"),
        ("flow_rows", "0", "greater than or equal to 1"),
        ("positions", "10", "256"),
        ("llm_precision", "tf32", "'bf16'"),
        ("flow_precision", "fp16", "'tf32'"),
        ("vocoder_precision", "bf16", "'tf32'"),
        ("threads", "-1", "greater than or equal to 0"),
        ("pause", "-0.1", "greater than or equal to 0"),
        ("cross_fade", "2", "less than or equal to 1"),
        ("sampling", "greedy", "'topk'"),
        ("draws", "none", "'reference'"),
        ("step_limit", "0", "greater than 0"),
        ("schedule__largest_cost", "-1", "greater than or equal to 0"),
        ("schedule__longest_wait", "0", "greater than 0"),
        ("schedule__longest_wait", "nan", "greater than 0"),
        ("schedule__short_share", "1", "less than 1"),
        ("schedule__short_cost", "0", "greater than or equal to 1"),
        ("schedule__fair_sources", "perhaps", "boolean"),
        ("schedule__policy", "x", "no such key"),
        ("weights", "x", "no such key"),
    ],
)
def test_a_wrong_value_of_glm_is_named(monkeypatch: pytest.MonkeyPatch, key: str, value: str, reason: str) -> None:
    variable = f"ENGINE__GLM__{key.upper()}"
    (problem,) = problems(monkeypatch, **{variable: value})
    assert problem.startswith(f"engine.glm.{key.replace('__', '.')} (environment: STREAMER_{variable}): ")
    assert reason in problem


@pytest.mark.parametrize(("rows", "share", "most"), [("8", "0.9", "0.875"), ("1", "0.1", "0"), ("3", "0.67", "0.666")])
def test_a_share_that_leaves_no_row_is_refused(
    monkeypatch: pytest.MonkeyPatch, rows: str, share: str, most: str
) -> None:
    (problem,) = problems(monkeypatch, ENGINE__GLM__ROWS=rows, ENGINE__GLM__SCHEDULE__SHORT_SHARE=share)
    assert problem == (
        "engine.glm.schedule.short_share (environment: STREAMER_ENGINE__GLM__SCHEDULE__SHORT_SHARE): "
        f"is {share}, which keeps {rows} of engine.glm.rows = {rows} for short texts and leaves none to others; "
        f"give at most {most}, or more rows"
    )
    monkeypatch.setenv("STREAMER_ENGINE__GLM__SCHEDULE__SHORT_SHARE", most)
    assert load(None).engine.glm.schedule == Schedule(short_share=float(most))


def test_a_share_of_rows_is_rounded_up() -> None:
    kept = [Schedule(short_share=share).kept_rows(rows) for share, rows in [(0, 8), (0.25, 8), (0.26, 8), (0.01, 8)]]
    assert kept == [0, 2, 3, 1]
    assert Schedule(short_share=0.07).kept_rows(100) == 7  # in binary a little more
