"""The files that `streamer` is configured by: as the engine is measured alone, and a voice with the same prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.engine.load import PROMPT_TEXT, prompt
from streamer.engines.glm.checkpoint.tiny import example


def written(folder: Path, servers: str, glm: Mapping[str, Any]) -> Path:
    """The configuration's file. `glm`: all of [engine.glm] that is to differ from its default."""
    (folder / "prompt.wav").write_bytes(prompt().audio)
    voices = folder / "voices.toml"
    voices.write_text(example.VOICES.replace(example.PROMPT_TEXT, PROMPT_TEXT), encoding="utf-8")
    sections: dict[str, Mapping[str, Any]] = {
        "kafka": {"bootstrap_servers": servers, "single_broker": True},
        "store": {"url": (folder / "store").as_uri()},
        "log": {"level": "warning"},
        "voices": {"file": str(voices)},
        "engine": {"name": "glm"},
        "engine.glm": glm,
    }
    file = folder / "streamer.toml"
    file.write_text("\n".join(_section(name, keys) for name, keys in sections.items()), encoding="utf-8")
    return file


def _section(name: str, keys: Mapping[str, Any]) -> str:
    """Texts, numbers and truth values are written in TOML as in JSON."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join([f"[{name}]", *lines, ""])
