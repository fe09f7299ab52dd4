"""An engine that clones, for whatever stands around one: the tone engine, whose tones follow from the prompt."""

from __future__ import annotations

import msgspec

from streamer.engines.base import Failure, Profile, Speech, Ticket, Utterance
from streamer.engines.tone import ToneSynthesizer
from streamer.settings import Tone
from streamer.voices import PromptSound, Voice, Voices

UNUSABLE = b"noise"
"""A sound that no voice can be cloned from."""
CLONED = Voices(
    {
        "plain": Voice(name="plain"),
        "vip": Voice(name="vip", prompt=PromptSound.of(b"a voice", "您好")),
        "noise": Voice(name="noise", prompt=PromptSound.of(UNUSABLE, "noise")),
    },
    "vip",
)


class CloningEngine:
    """See engines.base.Synthesizer. With `revision`, its speech names that one, and its profile another."""

    def __init__(self, revision: str | None = None) -> None:
        self._tone = ToneSynthesizer(Tone(), lambda seconds: None)
        self._refused: dict[Ticket, Utterance] = {}
        self.revision = revision
        self.heard: list[tuple[str, bytes]] = []
        """Texts, and the prompts that they were to be spoken with."""

    @property
    def profile(self) -> Profile:
        return msgspec.structs.replace(
            self._tone.profile, name="cloning", clones=True, about="weights of none, on this machine"
        )

    def submit(self, utterance: Utterance) -> Ticket:
        prompt = utterance.voice.prompt
        if prompt is None:
            raise ValueError(f"voice {utterance.voice.name} without a prompt came as far as the engine")
        self.heard.append((utterance.text, prompt.audio))
        if prompt.audio == UNUSABLE:
            ticket = self._tone.submit(msgspec.structs.replace(utterance, text=""))
            self._tone.cancel(ticket)
            self._refused[ticket] = utterance
            return ticket
        seed = utterance.seed ^ int(prompt.sha256[:8], 16)
        return self._tone.submit(msgspec.structs.replace(utterance, seed=seed))

    def step(self) -> list[Speech | Failure]:
        refused, self._refused = self._refused, {}
        failed: list[Speech | Failure] = [
            Failure(ticket, f"voice {utterance.voice.name}: nothing can be cloned from noise", voice=True)
            for ticket, utterance in refused.items()
        ]
        return failed + [
            msgspec.structs.replace(report, revision=self.revision) if isinstance(report, Speech) else report
            for report in self._tone.step()
        ]

    def cancel(self, ticket: Ticket) -> None:
        self._refused.pop(ticket, None)
        self._tone.cancel(ticket)

    def close(self) -> None:
        self._refused.clear()
        self._tone.close()
