"""The engine on the tiny checkpoint of the golden arrays, and voices to speak in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from streamer.engines.base import Failure, Profile, Speech, Synthesizer, Ticket, Utterance
from streamer.engines.glm.opening import open_glm
from streamer.engines.glm.synthesizer import GlmSynthesizer
from streamer.engines.glm.text.desk import TextDesk
from streamer.engines.glm.text.front import TextFront
from streamer.observe.logs import Log
from streamer.settings import Glm
from streamer.voices import PromptSound, Voice
from tests.engines.glm.golden import TINY, sound

PROMPT_TEXT = "这是参考音频的文本。"


@cache
def prompt(name: str) -> PromptSound:
    return PromptSound.of(sound(name), PROMPT_TEXT)


def voice(name: str = "p24k") -> Voice:
    """Cloned from one of the golden sounds."""
    return Voice(name=name, prompt=prompt(name))


def utterance(text: str, seed: int = 0, voice: Voice = voice(), phoneme: bool | None = None) -> Utterance:  # noqa: B008
    return Utterance(text=text, voice=voice, seed=seed, phoneme=phoneme)


def settings(cache: Path, **changes: Any) -> Glm:
    return Glm.model_validate(
        {
            "checkpoint": str(TINY.root),
            "device": "cpu",
            "llm_precision": "fp32",
            "cache": str(cache),
            "threads": 1,
            "rows": 8,
            **changes,
        }
    )


@cache
def _front(folder: Path, dictionary: Path | None) -> TextFront:
    return TextFront.open(TINY, dictionary, folder)


def open_here(cache: Path, log: Log | None = None, **changes: Any) -> GlmSynthesizer:
    """An engine whose texts are cut in this process, which reads the grammars once for all of them."""
    chosen = settings(cache, **changes)
    return open_glm(chosen, log, texts=TextDesk(_front(cache, chosen.dictionary)))


class Cloning:
    """An engine that clones, spoken to as one that does not: each voice of the contract has one of the prompts."""

    def __init__(self, engine: Synthesizer) -> None:
        self._engine = engine
        self._submitted: list[Ticket] = []

    @classmethod
    def open(cls, cache: Path, **changes: Any) -> Cloning:
        return cls(open_glm(settings(cache, **changes)))

    @property
    def profile(self) -> Profile:
        return self._engine.profile

    def submit(self, utterance: Utterance) -> Ticket:
        cloned = voice("p24k" if utterance.voice.name == "plain" else "p22k")
        self._submitted.append(self._engine.submit(msgspec.structs.replace(utterance, voice=cloned)))
        return self._submitted[-1]

    def step(self) -> list[Speech | Failure]:
        return self._engine.step()

    def cancel(self, ticket: Ticket) -> None:
        self._engine.cancel(ticket)

    def cancel_all(self) -> None:
        for ticket in self._submitted:
            self.cancel(ticket)
        self._submitted.clear()

    def close(self) -> None:
        self._engine.close()
