"""The engine `glm`: utterances in, samples out, all stages advanced by a little at each step.

    utterance → segments, voice → LLM → flow → vocoder → joined

A step prepares at most one utterance, computes a stretch of one segment's input, decodes one token of every row, makes
one Euler step and one vocoder batch: so that it returns soon, and who is cancelled or new is heard of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from streamer.engines.base import Failure, Profile, Speech, Ticket, Utterance
from streamer.engines.glm.draws import Draws
from streamer.engines.glm.joining import Joining
from streamer.engines.glm.llm.history import History
from streamer.engines.glm.memory import is_out_of_memory
from streamer.engines.glm.pieces import Job, Piece
from streamer.engines.glm.stages.base import Stage
from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.errors import VoiceUnusable
from streamer.observe.logs import Log

Report = Speech | Failure
_PAUSE = 1e-4
"""Seconds."""


class Parts(NamedTuple):
    """What a synthesizer is made of."""

    front: TextFront
    voices: VoiceEncoder
    llm: Stage
    flow: Stage
    vocoder: Stage
    joining: Joining
    draws: Callable[[int, int], Draws]
    """Of a segment: (seed, index of the segment)."""
    phoneme: bool
    """Whether an utterance that does not say is spoken with phonemes."""
    use_cache: bool
    """Whether a segment is prompted with those before it."""
    profile: Callable[[], Profile]
    log: Log


class GlmSynthesizer:
    """To be used from one thread."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._new: dict[Ticket, Job] = {}
        self._jobs: dict[Ticket, Job] = {}
        self._last = 0
        self._told: tuple[str, ...] = ()
        self._tell()

    @property
    def profile(self) -> Profile:
        return self.parts.profile()

    def submit(self, utterance: Utterance) -> Ticket:
        self._last += 1
        ticket = Ticket(self._last)
        self._new[ticket] = Job(ticket, utterance)
        return ticket

    @torch.inference_mode()
    def step(self) -> list[Report]:
        reports: list[Report] = []
        parts = self.parts
        self._prepare(reports)
        for piece in self._advance(parts.llm, reports):
            if piece.trouble:
                self.cancel(piece.job.ticket)
                reports.append(Failure(piece.job.ticket, piece.trouble))
            else:
                self._decoded(piece)
        for piece in self._advance(parts.flow, reports):
            parts.vocoder.add(piece)
        for piece in self._advance(parts.vocoder, reports):
            # Two last pieces of one may come together.
            if piece.job.done and self._jobs.pop(piece.job.ticket, None) is not None:
                reports.append(self._speech(piece.job))
        if parts.vocoder.busy and not (reports or self._new or parts.llm.busy or parts.flow.busy):
            time.sleep(_PAUSE)  # all that is left to do is to wait for the device
        return reports

    def cancel(self, ticket: Ticket) -> None:
        self._new.pop(ticket, None)
        if self._jobs.pop(ticket, None) is not None:
            for stage in self._stages():
                stage.drop(ticket)

    def close(self) -> None:
        for ticket in [*self._new, *self._jobs]:
            self.cancel(ticket)

    def _prepare(self, reports: list[Report]) -> None:
        """Go on with one that is new. Of some texts the costly part takes half a minute: it is done in short steps, by
        turns with others, while those that are ready are spoken."""
        for ticket, job in self._new.items():
            del self._new[ticket]
            try:
                if job.preparing is None:
                    job.preparing = self.parts.front.prepare(job.utterance.text)
                if next(job.preparing, self) is not self:
                    self._new[ticket] = job
                elif failure := self._ready(job):
                    reports.append(failure)
            except Exception as error:  # noqa: BLE001 - of this text or voice; nobody else's
                reports.append(_fault(job, error))
            return

    def _ready(self, job: Job) -> Failure | None:
        """Cut its text and encode its voice, and let it wait for the LLM; or say why it cannot be spoken."""
        parts, utterance = self.parts, job.utterance
        prompt = utterance.voice.prompt
        if prompt is None:
            raise VoiceUnusable(f"voice {utterance.voice.name!r} has no prompt_audio to clone from")
        phoneme = parts.phoneme if utterance.phoneme is None else utterance.phoneme
        job.segments = parts.front.segments(utterance.text, phoneme)
        self._tell()
        job.revision = parts.profile().revision  # behind the text: that looks whether its dictionary changed
        if not job.segments:
            return Failure(job.ticket, "nothing is left to speak once it is normalized", mute=True)
        job.voice = parts.voices.encode(prompt.audio)
        said = parts.front.prompt_ids(prompt.text)
        if not said:
            raise VoiceUnusable("prompt_text: holds nothing that is said in the prompt")
        job.history = History(said, job.voice.speech_tokens.tolist())
        self._jobs[job.ticket] = job
        self._begin(job, 0)
        return None

    def _tell(self) -> None:
        """Once, of each line of the dictionary that is passed over: it may change at any text."""
        problems = self.parts.front.problems
        for problem in problems:
            if problem not in self._told:
                self.parts.log.warning("a line of the dictionary is passed over", problem=problem)
        self._told = problems

    def _begin(self, job: Job, index: int) -> None:
        self.parts.llm.add(Piece(job, index, self.parts.draws(job.utterance.seed, index)))

    def _decoded(self, piece: Piece) -> None:
        job = piece.job
        if self.parts.use_cache and job.history is not None:
            job.history.add(job.segments[piece.index].ids, piece.tokens)
        if piece.index + 1 < len(job.segments):
            self._begin(job, piece.index + 1)
        self.parts.flow.add(piece)

    def _speech(self, job: Job) -> Report:
        try:
            samples = self.parts.joining.join([job.waves[index] for index in range(len(job.segments))])
        except Exception as error:  # noqa: BLE001 - of this sound; nobody else's
            return _fault(job, error)
        return Speech(job.ticket, samples, job.revision)

    def _advance(self, stage: Stage, reports: list[Report]) -> Sequence[Piece]:
        """Step a stage. What it finished and is still wanted.

        Where it lacks memory the younger half of what it worked on fails so, and less is admitted. Another error is its
        only utterance's failure, or else nobody knows whose, and it is raised.
        """
        try:
            return [piece for piece in stage.step() if piece.job.ticket in self._jobs]
        except Exception as error:
            working = (piece.job.ticket for piece in stage.working)
            tickets = list(dict.fromkeys(ticket for ticket in working if ticket in self._jobs))
            short = is_out_of_memory(error)
            if not tickets or not (short or len(tickets) == 1):
                self.close()  # the interface's word: it fails all that was submitted
                raise
            if short:
                stage.squeeze()  # first: what it puts back is dropped below
            for ticket in tickets[len(tickets) // 2 :]:
                self.cancel(ticket)
                reports.append(_failure(ticket, error))
            return ()

    def _stages(self) -> tuple[Stage, Stage, Stage]:
        return self.parts.llm, self.parts.flow, self.parts.vocoder


def _fault(job: Job, error: Exception) -> Failure:
    """What goes wrong in the work for one utterance is its own failure."""
    if isinstance(error, VoiceUnusable):
        return Failure(job.ticket, str(error), voice=True)
    return _failure(job.ticket, error)


def _failure(ticket: Ticket, error: Exception) -> Failure:
    message = f"{type(error).__name__}: {error}"
    return Failure(ticket, message[:1000], out_of_memory=is_out_of_memory(error))
