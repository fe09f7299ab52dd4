"""`streamer synth` and `streamer check` with an engine that clones; in this process, for none is configured as such."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.cli import check
from streamer.cli.main import cli
from streamer.errors import ConfigurationError
from streamer.settings import load
from streamer.store.disk import DiskStore
from tests.engines.cloning import UNUSABLE, CloningEngine

KEY = f"{'0a' * 32}/{'1b' * 32}.wav"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CloningEngine:
    """Opened by whatever opens one. Its voices: vip and noise with prompts, plain without."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)
    made = CloningEngine()
    monkeypatch.setattr("streamer.engines.opening.open_engine", lambda choice, clock: made)
    (tmp_path / "vip.wav").write_bytes(b"a voice")
    (tmp_path / "noise.wav").write_bytes(UNUSABLE)
    presets = "".join(
        f'[voices.{name}]\nprompt_audio = "{name}.wav"\nprompt_text = "您好"\n' for name in ("vip", "noise")
    )
    (tmp_path / "voices.toml").write_text(f'default = "vip"\n{presets}[voices.plain]\n')
    monkeypatch.setenv("STREAMER_VOICES__FILE", str(tmp_path / "voices.toml"))
    monkeypatch.setenv("STREAMER_STORE__URL", (tmp_path / "store").as_uri())
    (tmp_path / "events.toml").write_text('[events.paid]\ntemplate = "paid"\n')
    monkeypatch.setenv("STREAMER_EVENTS__FILE", str(tmp_path / "events.toml"))
    return made


Synth = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def synth(engine: CloningEngine, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Synth:
    """Speaks requests; the exit status, and the results by line."""

    def spoken(*requests: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        file = tmp_path / "requests.jsonl"
        file.write_text("\n".join(json.dumps(request) for request in requests))
        status = cli.main(["synth", str(file), "--out", str(tmp_path / "out")], standalone_mode=False)
        results = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
        return status, sorted(results, key=lambda one: one["line"])

    return spoken


def prompt(named: object) -> dict[str, str]:
    return {"prompt_audio": str(named), "prompt_text": "您好"}


def test_synth_speaks_in_prompts_of_presets_and_of_requests(
    synth: Synth, engine: CloningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_VOICES__PROMPT_FOLDERS", json.dumps([str(tmp_path / "prompts")]))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "a.wav").write_bytes(b"sound")
    (tmp_path / "prompts" / "noise.wav").write_bytes(UNUSABLE)
    status, results = synth(
        {"text": "one"},
        {"text": "two", "voice": "plain"},
        {"text": "three", "prompt": prompt(tmp_path / "prompts" / "a.wav")},
        {"text": "four", "prompt": prompt(tmp_path / "vip.wav")},
        {"text": "five", "voice": "noise"},
        {"text": "six", "prompt": prompt(tmp_path / "prompts" / "noise.wav")},
    )
    assert status == 1
    told = {one["line"]: one.get("error", {}).get("message", "") for one in results}
    assert [told[line] for line in (1, 3)] == ["", ""]
    assert "preset 'plain' has no prompt" in told[2]
    assert "prompt.prompt_audio" in told[4] and "voices.prompt_folders" in told[4]
    assert told[5] == "voice noise: nothing can be cloned from noise"
    assert told[6] == "voice prompt: nothing can be cloned from noise"
    assert {one["error"]["code"] for one in results if "error" in one} == {"voice_unknown"}
    assert sorted(engine.heard) == [("five", UNUSABLE), ("one", b"a voice"), ("six", UNUSABLE), ("three", b"sound")]
    assert not (tmp_path / "store").exists()


def test_synth_reads_the_stores_audio(synth: Synth, engine: CloningEngine, tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "store")
    store.put(KEY, b"stored")
    _, results = synth(
        {"text": "one", "prompt": prompt(store.uri(KEY))},
        {"text": "two", "prompt": prompt(store.uri(KEY.replace("1b", "2c")))},
        {"text": "three", "prompt": prompt(store.uri("store/id"))},
    )
    store.close()
    assert [one["line"] for one in results if "file" in one] == [1]
    assert engine.heard == [("one", b"stored")]
    assert "was deleted" in results[1]["error"]["message"]
    assert "voices.prompt_folders" in results[2]["error"]["message"]


def test_a_store_that_cannot_be_used_stops_synth(synth: Synth, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(ConfigurationError, match=r"store\.url"):
        synth({"text": "one", "prompt": prompt(f"{(tmp_path / 'store').as_uri()}/{KEY}")})


def lines(found: Iterator[tuple[str, str]]) -> list[str]:
    return [f"{state} {text}" for state, text in found]


def test_check_tells_what_it_runs_on_and_which_presets_can_be_cloned(engine: CloningEngine, tmp_path: Path) -> None:
    assert lines(check._voices(load(None))) == [
        f"ok {tmp_path}/voices.toml: vip, noise, plain; default vip; with prompts vip, noise"
    ]
    about, warning, spoken = lines(check._engine(load(None)))
    assert about == "ok cloning: weights of none, on this machine"
    assert warning == "warning no prompt to clone: plain; requests for them fail as voice_unknown"
    assert spoken.startswith("ok cloning (2+0.005) spoke 'This is a check.'")
    assert engine.heard == [("This is a check.", b"a voice")]


def test_check_speaks_in_whichever_preset_can_be(engine: CloningEngine, tmp_path: Path) -> None:
    file = tmp_path / "voices.toml"
    file.write_text(file.read_text().replace('default = "vip"', 'default = "plain"'))
    assert lines(check._engine(load(None)))[-1].startswith("ok cloning (2+0.005) spoke")
    file.write_text(file.read_text().replace("vip.wav", "noise.wav"))
    told = lines(check._engine(load(None)))[-1]
    assert told == "failed cloning could not speak 'This is a check.': voice vip: nothing can be cloned from noise"


def test_check_fails_where_no_preset_can_be_cloned(
    engine: CloningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voices.toml").write_text('default = "plain"\n[voices.plain]\n')
    monkeypatch.setenv("STREAMER_VOICES__PROMPT_FOLDERS", json.dumps([str(tmp_path / "none"), str(tmp_path)]))
    told = lines(check._engine(load(None)))[-1]
    assert told.startswith(f"failed it clones voices, and no preset of {tmp_path}/voices.toml has a prompt")
    assert engine.heard == []
    assert lines(check._voices(load(None)))[1:] == [
        f"warning voices.prompt_folders: {tmp_path}/none is no folder, so no request's prompt is read there"
    ]
