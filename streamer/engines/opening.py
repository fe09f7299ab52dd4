"""From `[engine]` to an engine."""

from __future__ import annotations

from streamer.clock import Clock
from streamer.engines.base import Synthesizer
from streamer.errors import ConfigurationError
from streamer.observe.logs import Log
from streamer.settings import EngineChoice, Glm


def open_engine(choice: EngineChoice, clock: Clock, log: Log | None = None) -> Synthesizer:
    """The engine that the configuration names, ready to speak. Without `log` it logs warnings only.

    Errors: EngineError; ConfigurationError where a device or an extra of the installation is missing.

    To be called in the thread that will use it; espeak's child processes die with that thread.
    """
    if choice.name == "tone":
        from streamer.engines.tone import ToneSynthesizer

        return ToneSynthesizer(choice.tone, clock.sleep)
    if choice.name == "glm":
        return _glm(choice.glm, log)
    from streamer.engines.espeak import EspeakSynthesizer

    return EspeakSynthesizer(choice.espeak, clock)


def _glm(choice: Glm, log: Log | None) -> Synthesizer:
    try:
        from streamer.engines.glm.opening import open_glm

        return open_glm(choice, log)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] == "streamer":
            raise  # a defect of ours, which no installation mends
        raise not_installed(error) from error


def not_installed(error: ImportError) -> ConfigurationError:
    """Of the extra `glm`."""
    return ConfigurationError(
        [f"engine.name is glm, and its libraries are not installed ({error}): pip install 'streamer[glm]'"]
    )
