"""One utterance from text to samples, stage after stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.engine.plain.draws import Draws
from benchmarks.engine.plain.flow import PlainFlow
from benchmarks.engine.plain.llama import PlainLlama
from benchmarks.engine.shares import Shares
from streamer.engines.base import Samples
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.voices import PromptSound

_LEAST, _MOST = 2, 20
"""Speech tokens for each text token."""
_FULL_SCALE = 32_767


class OneSegment(Exception):
    """The text is not spoken in one go, which is all that this can do."""


class PlainSpeaker:
    """In one voice. HiFT is streamer's own module, for it computes the same; at one row and the mel's own length."""

    def __init__(self, layout: Layout, device: torch.device, cache: Path, prompt: PromptSound) -> None:
        """The prompt is encoded here, once. Errors: CheckpointError, VoiceUnusable."""
        self._device = device
        self._front = TextFront.open(layout, None, cache)
        self._said = self._front.prompt_ids(prompt.text)
        self._voice = VoiceEncoder.open(layout, Hift.sample_rate, device, cache).encode(prompt.audio)
        self._llama, self._flow = PlainLlama(layout, device), PlainFlow(layout, device)
        self._hift = Hift.open(layout, device)

    @torch.inference_mode()
    def speak(self, text: str, seed: int, shares: Shares) -> Samples:
        """int16 at 24 kHz. Errors: OneSegment."""
        draws = Draws(seed, self._device)
        with shares.of("text and voice"):
            segments = self._front.segments(text, False)
            if len(segments) != 1:
                raise OneSegment(f"{text!r} is {len(segments)} segments")
        with shares.of("LLM"):
            tokens = self.tokens(segments[0].ids, draws)
        with shares.of("flow"):
            every = torch.tensor([*self._voice.speech_tokens, *tokens], dtype=torch.int64)
            mel, speaker = torch.tensor(self._voice.mel), torch.tensor(self._voice.speaker)
            made = self._flow.mel(every, mel, speaker, draws.flow_noise(frames_of(len(every))))
            self._wait()
        with shares.of("vocoder"):
            phase, noise = draws.vocoder(made.shape[1])
            length = torch.tensor([made.shape[1]], device=self._device)
            wave = self._hift(made[None], length, phase, noise)[0].cpu().numpy()
            samples: Samples = np.rint(np.clip(wave, -1, 1) * np.float32(_FULL_SCALE)).astype(np.int16)
        return samples

    @torch.inference_mode()
    def tokens(self, text: list[int], draws: Draws) -> list[int]:
        """Speech tokens, counted from 0, of a segment's text tokens."""
        special = self._front.special
        prompt = [special.audio_first + int(token) for token in self._voice.speech_tokens]
        ids = [*self._said, *text, special.begin_of_audio, *prompt]
        least, most = _LEAST * len(text), _MOST * len(text)
        spoken = self._llama.speak(ids, least, most, special.end_of_audio, draws)
        return [token - special.audio_first for token in spoken]

    def _wait(self) -> None:
        """For the device, so that each stage has its own time."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
