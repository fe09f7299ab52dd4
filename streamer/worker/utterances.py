"""From a request to what the engine is asked to speak: its text, or its event's rendered one, and a voice.

Only records that nobody decided yet come here, so that a corrected template counts for whoever is replayed or redriven,
and never for what stands.
"""

from __future__ import annotations

from typing import NamedTuple

from streamer.engines.base import Utterance
from streamer.errors import RequestFailed
from streamer.formats import chosen
from streamer.records import Event, FailureCode, SpeechRequest
from streamer.render.events import Events
from streamer.settings import Audio
from streamer.voices import Voice, Voices
from streamer.worker.prompts import INLINE


class Rendered(NamedTuple):
    utterance: Utterance
    """Where the request brought a prompt, its voice is INLINE as yet, without that: whoever has it spoken reads the
    prompt first (worker/prompts.py)."""
    template: str
    """Hash of the rule that made the text; empty where the request brought its text along."""


class Utterances:
    """Errors of `of`, all RequestFailed: template_error, not_wanted, text_empty, text_too_long, voice_unknown,
    invalid_request for a sample_rate at which its format, named or not, is not written."""

    def __init__(self, events: Events, voices: Voices, max_text: int, audio: Audio, *, clones: bool = False) -> None:
        """`max_text`: characters, of a rendered text too. `clones`: the engine does, and needs voices with prompts."""
        self._events, self._voices, self._max_text, self._audio = events, voices, max_text, audio
        self._clones = clones
        self._proven: set[str] = set()  # types whose rule made a text of an event

    def doubtful(self, event: Event) -> bool:
        """Whether a template_error of it may be its rule's fault: there is one, and it never made a text of any event.

        Rules are read once. One that made a text of one event is not broken: events that it fails are wrong
        themselves, as are those of a type that nobody wrote a rule for.
        """
        return event.type in self._events.types and event.type not in self._proven

    def of(self, request: SpeechRequest, fingerprint: str) -> Rendered:
        chosen(request.format, request.sample_rate, self._audio.format, self._audio.sample_rate)
        text, voice, template = self._text(request)
        if len(text) > self._max_text:
            raise RequestFailed(
                FailureCode.TEXT_TOO_LONG,
                f"text: {len(text)} characters, at most {self._max_text} are spoken (engine.max_text)",
            )
        if request.prompt is not None and not self._clones:
            raise RequestFailed(FailureCode.VOICE_UNKNOWN, "prompt: this engine clones no voices; name one in voice")
        # The request alone decides, so that every attempt, and `streamer synth`, makes the same audio.
        seed = int(fingerprint[:8], 16) if request.seed is None else request.seed
        spoken_by = self._voice(voice) if request.prompt is None else Voice(name=INLINE)
        utterance = Utterance(text=text, voice=spoken_by, seed=seed, phoneme=request.phoneme, source=request.source)
        return Rendered(utterance, template)

    def _text(self, request: SpeechRequest) -> tuple[str, str | None, str]:
        """(text, name of the voice, hash of the template). A voice that the request names wins over the rule's."""
        if request.event is None:
            return request.text or "", request.voice, ""
        rendering = self._events.render(request.event, request.metadata)
        if rendering.wanted:
            self._proven.add(request.event.type)
        if not rendering.wanted:
            raise RequestFailed(
                FailureCode.NOT_WANTED,
                f"event {request.event.type[:80]!r}: its rule's condition does not hold for this event (events.file)",
            )
        if not rendering.text.strip():
            raise RequestFailed(
                FailureCode.TEXT_EMPTY, f"event {request.event.type[:80]!r}: its template made no words of this event"
            )
        return rendering.text, request.voice or rendering.voice, rendering.template

    def _voice(self, name: str | None) -> Voice:
        voice = self._voices.get(name)
        if voice is None:
            known = ", ".join(self._voices.names)
            raise RequestFailed(FailureCode.VOICE_UNKNOWN, f"voice: no preset {(name or '')[:80]!r}; known: {known}")
        if self._clones and voice.prompt is None:
            others = ", ".join(self._voices.with_prompts) or "none"
            raise RequestFailed(
                FailureCode.VOICE_UNKNOWN,
                f"voice: preset {voice.name[:80]!r} has no prompt, and this engine clones voices; give it prompt_audio "
                f"and prompt_text in voices.file, or name another (with prompts: {others})",
            )
        return voice
