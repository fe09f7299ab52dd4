"""The engine `glm`: utterances in, samples out, all stages advanced by a little at each step.

    utterance → segments, voice → LLM → flow → vocoder → joined

Texts are cut in a process of their own. A step takes one of them, computes a stretch of one segment's input, decodes
one token of every row, makes one Euler step and one vocoder batch: so that it returns soon, and who is cancelled or new
is heard of.
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
from streamer.engines.glm.text.orders import Answer, Cut, Order, Refused, Texts
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.errors import EngineGone, VoiceUnusable
from streamer.observe.logs import Log

Report = Speech | Failure
_PAUSE = 1e-4
"""Seconds, where nothing is left but to wait for the device."""
_NAP = 0.02
"""Seconds at most, where nothing is left but to wait for a text."""


class Parts(NamedTuple):
    """What a synthesizer is made of."""

    texts: Texts
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
    profile: Callable[[str], Profile]
    """Of a version of the text front end."""
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
        return self.parts.profile(self.parts.texts.version)

    def submit(self, utterance: Utterance) -> Ticket:
        self._last += 1
        ticket = Ticket(self._last)
        prompt = utterance.voice.prompt
        phoneme = self.parts.phoneme if utterance.phoneme is None else utterance.phoneme
        self.parts.texts.ask(Order(ticket, utterance.text, phoneme, "" if prompt is None else prompt.text))
        self._new[ticket] = Job(ticket, utterance)
        return ticket

    @torch.inference_mode()
    def step(self) -> list[Report]:
        reports: list[Report] = []
        parts = self.parts
        if self._new:
            answer = self._answer()
            if answer is not None and (failure := self._cut(answer)):
                reports.append(failure)
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
        if parts.vocoder.busy and not (reports or parts.llm.busy or parts.flow.busy):
            time.sleep(_PAUSE)
        return reports

    def cancel(self, ticket: Ticket) -> None:
        if self._new.pop(ticket, None) is not None:
            self.parts.texts.drop(ticket)
        if self._jobs.pop(ticket, None) is not None:
            for stage in self._stages():
                stage.drop(ticket)

    def close(self) -> None:
        self._forget()
        self.parts.texts.close()

    def _forget(self) -> None:
        for ticket in [*self._new, *self._jobs]:
            self.cancel(ticket)

    def _answer(self) -> Answer | None:
        nothing_else = not any(stage.busy for stage in self._stages())
        try:
            return self.parts.texts.answer(_NAP if nothing_else else 0.0)
        except EngineGone:
            self._forget()
            raise

    def _cut(self, answer: Answer) -> Report | None:
        """Go on with one whose text is cut; or say why it cannot be spoken."""
        job = self._new.pop(Ticket(answer.ticket))
        if isinstance(answer, Refused):
            return Failure(job.ticket, answer.message, out_of_memory=answer.out_of_memory)
        try:
            return self._ready(job, answer)
        except Exception as error:  # noqa: BLE001 - of this voice; nobody else's
            return _fault(job, error)

    def _ready(self, job: Job, cut: Cut) -> Failure | None:
        """Encode its voice, and let it wait for the LLM; or say why it cannot be spoken."""
        parts, prompt = self.parts, job.utterance.voice.prompt
        if prompt is None:
            raise VoiceUnusable(f"voice {job.utterance.voice.name!r} has no prompt_audio to clone from")
        self._tell()
        job.segments = cut.segments
        job.revision = parts.profile(cut.version).revision
        if not job.segments:
            return Failure(job.ticket, "nothing is left to speak once it is normalized", mute=True)
        job.voice = parts.voices.encode(prompt.audio)
        if not cut.prompt:
            raise VoiceUnusable("prompt_text: holds nothing that is said in the prompt")
        job.history = History(cut.prompt, job.voice.speech_tokens.tolist())
        self._jobs[job.ticket] = job
        self._begin(job, 0)
        return None

    def _tell(self) -> None:
        """Once, of each line of the dictionary that is passed over: it may change at any text."""
        problems = self.parts.texts.problems
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
                self._forget()  # the interface's word: it fails all that was submitted
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
