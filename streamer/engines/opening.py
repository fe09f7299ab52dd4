"""From `[engine]` to an engine."""

from __future__ import annotations

from streamer.clock import Clock
from streamer.engines.base import Synthesizer
from streamer.settings import EngineChoice


def open_engine(choice: EngineChoice, clock: Clock) -> Synthesizer:
    """The engine that the configuration names, ready to speak. Errors: EngineError.

    To be called in the thread that will use it; espeak's child processes die with that thread.
    """
    if choice.name == "tone":
        from streamer.engines.tone import ToneSynthesizer

        return ToneSynthesizer(choice.tone, clock.sleep)
    from streamer.engines.espeak import EspeakSynthesizer

    return EspeakSynthesizer(choice.espeak, clock)
