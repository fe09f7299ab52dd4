"""Every stage against the arrays of the reference, whatever the length of the prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.engines.glm.voice.features import RATE, pieces_of
from streamer.engines.glm.voice.mel import Mel
from streamer.engines.glm.voice.resampling import resample
from streamer.engines.glm.voice.sound import Sound, decode
from streamer.engines.glm.voice.speaker import SpeakerEncoder, fbank
from streamer.engines.glm.voice.tokenizer import SpeechTokenizer
from tests.engines.glm.golden import TINY, arrays, sound

SHORT = ("p16k", "p22k", "p24k", "p44k_stereo")
ALL = (*SHORT, "p8k_long")


def heard(name: str) -> Sound:
    return decode(sound(name), shortest=1.0, longest=60.0)


def first(name: str, rate: int = RATE) -> Tensor:
    prompt = heard(name)
    return resample(torch.from_numpy(prompt.first), prompt.rate, rate)


def mean(name: str, rate: int = RATE) -> Tensor:
    prompt = heard(name)
    return resample(torch.from_numpy(prompt.mean), prompt.rate, rate)


def close(found: Tensor | NDArray[np.float32], key: str, tolerance: float) -> None:
    np.testing.assert_allclose(np.asarray(found), arrays("prompt")[key], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", SHORT)
def test_samples(name: str) -> None:
    close(first(name), f"{name}.wave16k_first_channel", 2e-6)
    close(mean(name), f"{name}.wave16k_mean", 2e-6)


@pytest.mark.parametrize("name", ALL)
def test_features(name: str, tokenizer: SpeechTokenizer) -> None:
    features = tokenizer.features(pieces_of(first(name)))
    assert features.mask.sum(1).tolist() == arrays("prompt")[f"{name}.whisper_mask_frames"].tolist()
    assert list(features.mels.shape) == arrays("prompt")[f"{name}.whisper_shape"].tolist()
    if name in SHORT:
        close(features.mels, f"{name}.whisper_features", 5e-5)


@pytest.mark.parametrize("name", SHORT)
def test_hidden_states_before_the_codes(name: str, tokenizer: SpeechTokenizer) -> None:
    close(tokenizer.hidden(tokenizer.features(pieces_of(first(name)))), f"{name}.pre_quantizer", 2e-5)


@pytest.mark.parametrize("name", ALL)
def test_speech_tokens(name: str, tokenizer: SpeechTokenizer) -> None:
    assert tokenizer.tokens(first(name)).tolist() == arrays("prompt")[f"{name}.speech_token"].tolist()


@pytest.mark.parametrize("name", SHORT)
def test_filter_bank(name: str) -> None:
    close(fbank(mean(name)), f"{name}.fbank_cmn", 1e-3)


@pytest.mark.parametrize("name", ALL)
def test_speaker_vector(name: str, speaker: SpeakerEncoder) -> None:
    close(speaker.vector(mean(name)), f"{name}.embedding", 1e-5)


@pytest.mark.parametrize("name", SHORT)
def test_mel(name: str) -> None:
    close(Mel(24_000)(mean(name, 24_000)), f"{name}.mel24k", 5e-5)


def test_mel_at_32_khz_beside_one_at_24() -> None:
    at_24, at_32 = Mel(24_000), Mel(32_000)
    close(at_32(mean("p24k", 32_000)), "p24k.mel32k", 5e-5)
    close(at_24(mean("p24k", 24_000)), "p24k.mel24k", 5e-5)


@pytest.mark.parametrize(("rate", "mel"), [(24_000, "mel24k"), (32_000, "mel32k")])
def test_whole_voice_from_its_file(rate: int, mel: str) -> None:
    voice = VoiceEncoder.open(TINY, rate, "cpu", None).encode(sound("p24k"))
    assert voice.speech_tokens.dtype == np.int64
    assert voice.speech_tokens.tolist() == arrays("prompt")["p24k.speech_token"].tolist()
    close(voice.speaker, "p24k.embedding", 1e-5)
    close(voice.mel, f"p24k.{mel}", 5e-5)


@pytest.mark.parametrize("name", ALL)
def test_whole_voice_of_any_length(name: str, encoder: VoiceEncoder) -> None:
    voice = encoder.voice_of(heard(name))
    assert voice.speech_tokens.tolist() == arrays("prompt")[f"{name}.speech_token"].tolist()
    close(voice.speaker, f"{name}.embedding", 1e-5)
