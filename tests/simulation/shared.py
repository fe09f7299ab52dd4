"""What all histories share, because it is costly to make and has no state that matters."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from streamer.observe.logs import logger
from streamer.observe.metrics import Metrics
from streamer.render.events import Events
from streamer.settings import Settings, load
from streamer.voices import PromptSound, Voices
from streamer.wire import avro
from streamer.wire.base import Codecs
from tests.simulation.workload import RULES

WINDOW, POLL = 12, 4
"""Settings of the workers, so small that histories reach them: offsets above the lowest unfinished, records a poll."""


def _prompted(voices: Voices) -> Voices:
    """The shipped presets, each with a prompt: the simulated engine clones."""
    prompt = PromptSound.of(b"a preset", "a preset")
    presets = {name: voice for name in voices.names if (voice := voices.get(name)) is not None}
    return Voices(
        {name: msgspec.structs.replace(voice, prompt=prompt) for name, voice in presets.items()}, voices.default
    )


class Shared:
    """Settings, codecs, voices, templates."""

    def __init__(self) -> None:
        self.requests = avro.requests()
        self.codecs = Codecs(self.requests, avro.completed(), avro.failed(), avro.replayed())
        base = load(None)
        self.settings: Settings = base.model_copy(
            update={
                "worker": base.worker.model_copy(
                    update={"window": WINDOW, "poll_records": POLL, "dead_letter_window": 1000}
                ),
                "engine": base.engine.model_copy(update={"attempts": 2}),
                "log": base.log.model_copy(update={"level": "error"}),
            }
        )
        self.voices = _prompted(Voices.load(self.settings.voices.file))
        self.events = [self._rules(text) for text in RULES]
        self.log = logger("error")
        self.metrics = Metrics(CollectorRegistry())

    def _rules(self, text: str) -> Events:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return Events.load(Path(file.name), self.voices)
