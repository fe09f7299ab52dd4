from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.engines.glm.voice.speaker import SpeakerEncoder
from streamer.engines.glm.voice.tokenizer import SpeechTokenizer
from tests.engines.glm.golden import TINY


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """As the reference's arrays were made; and sounds this short gain nothing by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
