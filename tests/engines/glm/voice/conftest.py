from __future__ import annotations

import pytest
import torch

from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.engines.glm.voice.speaker import SpeakerEncoder
from streamer.engines.glm.voice.tokenizer import SpeechTokenizer
from tests.engines.glm.golden import TINY


@pytest.fixture(scope="package")
def tokenizer() -> SpeechTokenizer:
    return SpeechTokenizer.open(TINY.speech_tokenizer, torch.device("cpu"))


@pytest.fixture(scope="package")
def speaker() -> SpeakerEncoder:
    return SpeakerEncoder.open(TINY.speaker)


@pytest.fixture(scope="package")
def encoder() -> VoiceEncoder:
    """Without a folder, but with its memory."""
    return VoiceEncoder.open(TINY, 24_000, "cpu", None)
