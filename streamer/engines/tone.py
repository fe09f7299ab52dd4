"""The engine of tests and benchmarks: two tones a text, at a settable cost, with failures on demand.

A text may hold markers:

[[fail]]      always fails
[[fail:2]]    fails the first 2 times that this engine is given this text
[[raise]]     raises from `step`, which fails everything submitted
[[oom]]       out of memory while it has neighbours in its batch; speaks when alone
[[silent]]    is silent, as no speech should be
[[silent:7]]  is silent with the seed 7
[[crash]]     kills the process at once, as the kernel does to who takes too much memory (SIGKILL)
[[hang]]      never returns from `step`
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Callable

import numpy as np

from streamer.engines.base import (
    Durations,
    Failure,
    Profile,
    Samples,
    Speech,
    SpeechBounds,
    Ticket,
    Utterance,
)
from streamer.errors import EngineError
from streamer.settings import Tone

SAMPLE_RATE = 24_000
SLICE = 10
"""Characters that a row advances in one step."""
FREE_ROWS = 256
"""Utterances that a step finishes at most where work costs nothing."""
_CAPACITY = 1_000_000
_PITCHES = 16
_AMPLITUDE = 8000.0
_MARKER = re.compile(r"\[\[(fail|fail:(\d{1,9})|raise|oom|crash|hang|silent|silent:(\d{1,19}))\]\]")
_LEAST_VERIFIED = 0.001
"""Seconds a character; less than a period of its tones tells nothing about a tone."""


class ToneSynthesizer:
    """Continuous batches: up to `settings.rows` rows advance together by SLICE characters a step.

    A step sleeps `cost_per_character` times its slice once, however many rows share it. Rows join and leave at each
    step. Work that costs nothing is not sliced: each step finishes up to FREE_ROWS utterances. What an utterance
    sounds like follows from its text, voice and seed alone.
    """

    def __init__(self, settings: Tone, sleep: Callable[[float], None]) -> None:
        self._settings = settings
        self._sleep = sleep
        self._rows = settings.rows if settings.cost_per_character else max(settings.rows, FREE_ROWS)
        self._low, self._high = _tones(330), _tones(1010)
        self._waiting: dict[Ticket, Utterance] = {}
        self._active: dict[Ticket, _Row] = {}
        self._failed: dict[str, int] = {}
        self._last = 0
        self._profile = Profile(
            name="tone",
            revision=f"2+{settings.seconds_per_character:g}",
            sample_rate=SAMPLE_RATE,
            capacity=_CAPACITY,
            step_limit=settings.step_limit + SLICE * settings.cost_per_character,
            bounds=_bounds(settings.seconds_per_character),
        )

    @property
    def profile(self) -> Profile:
        return self._profile

    def submit(self, utterance: Utterance) -> Ticket:
        self._last += 1
        ticket = Ticket(self._last)
        self._waiting[ticket] = utterance
        return ticket

    def step(self) -> list[Speech | Failure]:
        self._join()
        reports = self._out_of_memory()
        if not self._active:
            return reports
        if self._settings.cost_per_character:
            advance = min(SLICE, max(row.remaining for row in self._active.values()))
            self._sleep(self._settings.cost_per_character * advance)
            for row in self._active.values():
                row.remaining -= advance
        done = [
            ticket
            for ticket, row in self._active.items()
            if row.remaining <= 0 or not self._settings.cost_per_character
        ]
        for ticket in done:
            reports.append(self._report(ticket, self._active.pop(ticket).utterance))
        return reports

    def cancel(self, ticket: Ticket) -> None:
        self._waiting.pop(ticket, None)
        self._active.pop(ticket, None)

    def close(self) -> None:
        self._waiting.clear()
        self._active.clear()

    def _join(self) -> None:
        while self._waiting and len(self._active) < self._rows:
            ticket = next(iter(self._waiting))
            row = _Row(self._waiting.pop(ticket))
            self._active[ticket] = row
            if row.marker == "raise":
                self.close()
                raise EngineError("the text holds [[raise]]")
            if row.marker == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            while row.marker == "hang":
                self._sleep(self._settings.step_limit)

    def _out_of_memory(self) -> list[Speech | Failure]:
        if len(self._active) < 2:
            return []
        victims = [ticket for ticket, row in self._active.items() if row.marker == "oom"]
        # The last one standing alone has its memory back.
        if len(victims) == len(self._active):
            victims = victims[1:]
        for ticket in victims:
            del self._active[ticket]
        return [Failure(ticket, "the text holds [[oom]]", out_of_memory=True) for ticket in victims]

    def _report(self, ticket: Ticket, utterance: Utterance) -> Speech | Failure:
        text, voice = utterance.text, utterance.voice
        sound = f"{utterance.seed}:{voice.rate}:{voice.pitch}:{voice.volume}:{text}"
        if "[[" in text and (trouble := self._trouble(text)):
            return Failure(ticket, trouble)
        if self._settings.failure_rate and _share(text) < self._settings.failure_rate:
            return Failure(ticket, "one of the texts that fail (engine.tone.failure_rate)")
        frames = max(1, round(self._settings.seconds_per_character * len(text) * SAMPLE_RATE))
        if "[[silent" in text and _silent(utterance):
            return Speech(ticket, np.zeros(frames, np.int16))
        return Speech(ticket, self._samples(hashlib.blake2b(sound.encode(), digest_size=8).digest(), frames))

    def _trouble(self, text: str) -> str:
        marker = _MARKER.search(text)
        if marker is None or not marker[1].startswith("fail"):
            return ""
        if marker[2] is None:
            return "the text holds [[fail]]"
        failed = self._failed.get(text, 0)
        if failed >= int(marker[2]):
            self._failed.pop(text, None)
            return ""
        self._failed[text] = failed + 1
        return f"the text holds {marker[0]}; this was attempt {failed + 1}"

    def _samples(self, digest: bytes, frames: int) -> Samples:
        """Shape (frames,): a low and a high tone, each from its own place in its second."""
        low = _cut(self._low[digest[0] % _PITCHES], int.from_bytes(digest[1:4], "little"), frames)
        return low + _cut(self._high[digest[4] % _PITCHES], int.from_bytes(digest[5:8], "little"), frames)


class _Row:
    __slots__ = ("marker", "remaining", "utterance")

    def __init__(self, utterance: Utterance) -> None:
        self.utterance = utterance
        self.remaining = max(1, len(utterance.text))
        found = _MARKER.search(utterance.text) if "[[" in utterance.text else None
        self.marker = found[1] if found else ""


def _bounds(seconds: float) -> SpeechBounds | None:
    """Its lengths are known to the sample; and it repeats itself by nature."""
    if seconds < _LEAST_VERIFIED:
        return None

    def durations(share: float, constant: float) -> Durations:
        each = share * seconds
        return Durations(ideograph=each, letter=each, digit=each, pause=each, named=each, constant=constant)

    return SpeechBounds(
        least_rms=0.01,
        most_clipped=0.0,
        longest_silence=0.01,
        shortest=durations(0.99, -0.001),
        longest=durations(1.01, 0.001),
    )


def _silent(utterance: Utterance) -> bool:
    marker = _MARKER.search(utterance.text)
    return marker is not None and marker[1].startswith("silent") and marker[3] in (None, str(utterance.seed))


def _tones(lowest: int) -> list[Samples]:
    """Two seconds each of tones of a whole number of Hz, so that each second is like the one before."""
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tones = (_AMPLITUDE * np.sin(2 * np.pi * (lowest + 37 * pitch) * seconds) for pitch in range(_PITCHES))
    return [np.tile(np.rint(tone).astype(np.int16), 2) for tone in tones]


def _cut(tone: Samples, start: int, frames: int) -> Samples:
    start %= SAMPLE_RATE
    if frames <= SAMPLE_RATE:
        return tone[start : start + frames]
    return np.resize(tone[start : start + SAMPLE_RATE], frames)


def _share(text: str) -> float:
    """Where the text lies between 0 and 1, by its hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") / 2**64
