"""The simulated engine: an utterance takes some steps, and some fail."""

from __future__ import annotations

import hashlib
from itertools import count

import numpy as np

from streamer.engines.base import Failure, Profile, Speech, SpeechBounds, Ticket, Utterance, estimated_tokens
from tests.simulation.faults import Crash, Striker
from tests.simulation.workload import CHOKER, FLAWED, FLAWED_SEED, KILLER, LATE_KILLER, POISON, REFUSED


class SimEngine:
    """See engines.base.Synthesizer. The revision changes a byte of the audio, as a real deploy would."""

    def __init__(self, striker: Striker, revision: int, cured: set[str]) -> None:
        self.profile = Profile(
            name="sim",
            revision=f"r{revision}",
            sample_rate=24_000,
            capacity=80,
            step_limit=1.0,
            bounds=SpeechBounds(least_rms=0.001),
            clones=True,
        )
        self._striker, self._cured = striker, cured
        self._kills = (KILLER, LATE_KILLER) if revision % 2 == 0 else (KILLER,)
        self._tickets = count()
        self._rows: dict[Ticket, tuple[Utterance, int]] = {}

    def submit(self, utterance: Utterance) -> Ticket:
        ticket = Ticket(next(self._tickets))
        steps = 1 + estimated_tokens(utterance.text) // 30
        if self._striker.strikes("engine slow"):
            steps += 20
        self._rows[ticket] = (utterance, steps)
        return ticket

    def step(self) -> list[Speech | Failure]:
        self._striker.crash_point()
        if self._striker.strikes("engine breaks"):
            raise RuntimeError("injected")
        if any(self._sick(utterance, *self._kills) for utterance, _ in self._rows.values()):
            self._striker.note("poison kills with neighbours" if len(self._rows) > 1 else "poison kills alone")
            raise Crash
        ended: list[Speech | Failure] = []
        for ticket, (utterance, steps) in list(self._rows.items()):
            if steps > 1:
                self._rows[ticket] = (utterance, steps - 1)
                continue
            del self._rows[ticket]
            if utterance.voice.prompt is None:
                ended.append(Failure(ticket, "it came without its prompt", voice=True))
                continue
            poisoned = self._sick(utterance, POISON)
            if poisoned or self._striker.strikes("engine fails"):
                ended.append(
                    Failure(ticket, "injected", out_of_memory=not poisoned and self._striker.rng.random() < 0.3)
                )
            else:
                ended.append(Speech(ticket, self._samples(utterance)))
        return ended

    def cancel(self, ticket: Ticket) -> None:
        self._rows.pop(ticket, None)

    def close(self) -> None:
        self._rows.clear()

    def _sick(self, utterance: Utterance, *words: str) -> bool:
        return utterance.text.startswith(words) and utterance.text not in self._cured

    def _samples(self, utterance: Utterance) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        if utterance.text.startswith(FLAWED) or utterance.seed == FLAWED_SEED or self._striker.strikes("speech flawed"):
            return np.zeros(16, dtype=np.int16)
        if utterance.text.startswith(REFUSED):
            return np.frombuffer((REFUSED * 2).encode(), dtype=np.int16)
        if self._sick(utterance, CHOKER):
            return np.frombuffer((CHOKER * 2).encode(), dtype=np.int16)
        words = f"{utterance.text}|{utterance.voice.name}|{utterance.seed}|{self.profile.revision}"
        return np.frombuffer(hashlib.sha256(words.encode()).digest(), dtype=np.int16)
