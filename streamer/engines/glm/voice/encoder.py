"""From the bytes of a prompt's file to what its voice is cloned from. The same bytes give the same voice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torchaudio

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.code import code_digest
from streamer.engines.glm.voice import sound as sounds
from streamer.engines.glm.voice import speaker as speakers
from streamer.engines.glm.voice.cache import EncodedVoice, VoiceCache
from streamer.engines.glm.voice.features import RATE
from streamer.engines.glm.voice.mel import Mel
from streamer.engines.glm.voice.resampling import resample
from streamer.engines.glm.voice.sound import Sound, decode
from streamer.engines.glm.voice.speaker import SpeakerEncoder
from streamer.engines.glm.voice.tokenizer import SpeechTokenizer
from streamer.observe.logs import Log, logger

__all__ = ["EncodedVoice", "VoiceEncoder"]


class VoiceEncoder:
    """Used from one thread."""

    def __init__(
        self, tokenizer: SpeechTokenizer, speaker: SpeakerEncoder, mel: Mel, folder: Path | None, log: Log
    ) -> None:
        self._tokenizer = tokenizer
        self._speaker = speaker
        self._mel = mel
        self._revision = _revision(tokenizer, speaker, mel)
        self._cache = VoiceCache(folder, self._revision, log)

    @classmethod
    def open(
        cls, layout: Layout, sample_rate: int, device: torch.device | str, cache: Path | None, log: Log | None = None
    ) -> Self:
        """`sample_rate`: of the speech that will be made, 24000 or 32000. `cache`: a folder; voices lie in `voices/` of
        it. Only the speech tokenizer runs on `device`. Errors: CheckpointError."""
        return cls(
            SpeechTokenizer.open(layout.speech_tokenizer, torch.device(device)),
            SpeakerEncoder.open(layout.speaker),
            Mel(sample_rate),
            None if cache is None else cache / "voices",
            logger() if log is None else log,
        )

    @property
    def revision(self) -> str:
        """What else than the bytes of the sound changes an encoded voice, as `name=value` pairs."""
        return self._revision

    def encode(self, sound: bytes) -> EncodedVoice:
        """The voice of a file of 3 to 10 s (WAV, FLAC, MP3 or OGG). Errors: VoiceUnusable."""
        digest = hashlib.sha256(sound).hexdigest()
        voice = self._cache.get(digest)
        if voice is None:
            voice = self._cache.put(digest, self.voice_of(decode(sound)))
        return voice

    @torch.inference_mode()
    def voice_of(self, sound: Sound) -> EncodedVoice:
        """The voice of samples, whatever their length; never from the cache."""
        first, mean = torch.from_numpy(sound.first), torch.from_numpy(sound.mean)
        tokens = self._tokenizer.tokens(resample(first, sound.rate, RATE))
        speaker = self._speaker.vector(resample(mean, sound.rate, RATE))
        mel = self._mel(resample(mean, sound.rate, self._mel.sample_rate))
        return EncodedVoice(tokens.numpy(), speaker, mel.numpy())


def _revision(tokenizer: SpeechTokenizer, speaker: SpeakerEncoder, mel: Mel) -> str:
    facts = {
        "speech_tokenizer": tokenizer.digest,
        "speaker": speaker.digest,
        "rate": str(mel.sample_rate),
        "code": code_digest(Path(__file__).parent),
        "sound": sounds.library(),
        "onnx": speakers.library(),
        "numpy": np.__version__,
        **_torch(tokenizer.device),
    }
    return " ".join(f"{name}={value}" for name, value in facts.items())


def _torch(device: torch.device) -> dict[str, str]:
    """Most of the work is the CPU's, whatever the device."""
    facts = {
        "torch": torch.__version__,
        "torchaudio": str(torchaudio.__version__),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device).replace(" ", "_")
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        facts["device"] = f"{name}/cuda{torch.version.cuda}/cudnn{cudnn}"
    return facts
