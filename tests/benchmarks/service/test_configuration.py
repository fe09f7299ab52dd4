"""What the service is configured by is what the engine is given alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine.load import Text, prompt
from benchmarks.service.configuration import written
from benchmarks.service.requests import requests
from streamer.settings import load
from streamer.voices import Voices


def test_the_configuration_says_the_same_settings(tmp_path: Path) -> None:
    glm = {"checkpoint": 'a "folder"', "rows": 3, "use_cache": False, "flow_precision": "bf16", "pause": 0.5}
    settings = load(written(tmp_path, "127.0.0.1:1", glm))
    assert settings.engine.name == "glm"
    assert {key: getattr(settings.engine.glm, key) for key in glm} == glm
    assert settings.kafka.single_broker
    voice = Voices.load(settings.voices.file).get(None)
    assert voice is not None
    assert voice.prompt == prompt()


def test_requests_are_the_texts_with_their_seeds() -> None:
    found = requests("run", [Text(number=3, text="好。", tokens=2)])
    request = found["run-3"]
    assert (request.source, request.id, request.text, request.seed) == ("benchmark", "run-3", "好。", 3)
