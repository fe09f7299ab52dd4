"""One piece of speech, as it comes to the flow, and what is made of it in a precision and a shape."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.engine.load import prompt
from benchmarks.engine.plain.flow import PlainFlow
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.sizes import CODES
from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.flow.run import FlowRun
from streamer.engines.glm.precision import tensor_float
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.voice.encoder import VoiceEncoder


class Piece:
    """The prompt of 5 s and some new tokens, drawn by chance; its noise is the same in every precision."""

    def __init__(self, layout: Layout, cache: Path, tokens: int) -> None:
        voice = VoiceEncoder.open(layout, Hift.sample_rate, "cpu", cache).encode(prompt().audio)
        generator = torch.Generator().manual_seed(tokens)
        new = torch.randint(0, CODES, (tokens,), generator=generator)
        every = torch.cat((torch.tensor(voice.speech_tokens), new))
        self._draws = CounterDraws(0, 0)
        self.frames = frames_of(len(every))
        self.job = FlowJob(
            every, torch.tensor(voice.mel), torch.tensor(voice.speaker), self._draws.flow_noise(self.frames)
        )
        self._phase, self._noise = self._draws.vocoder(self.frames - len(voice.mel))

    def mel(self, flow: Flow, frames: int | None = None, rows: int = 1, *, tf32: bool = False) -> Tensor:
        """[80, T] on the CPU, by the engine. `frames`: in which it is computed; None: as many as it has."""
        with tensor_float(tf32):
            run = FlowRun(flow, [self.job], rows, frames or self.frames)
            while not run.advance():
                pass
            return run.mels()[0].cpu()

    @torch.inference_mode()
    def plain_mel(self, flow: PlainFlow) -> Tensor:
        """The same by the plain way, at the piece's own length."""
        job = self.job
        return flow.mel(job.tokens, job.prompt_mel, job.speaker, job.noise[None]).cpu()

    @torch.inference_mode()
    def wave(self, hift: Hift, mel: Tensor, *, tf32: bool = False) -> Tensor:
        """[samples] on the CPU; the vocoder is float32 or TF32."""
        given = mel.float()[None], torch.tensor([mel.shape[1]]), self._phase[None], self._noise[None]
        with tensor_float(tf32):
            sound: Tensor = hift(*(part.to(hift.device) for part in given))
        return sound[0].cpu()
